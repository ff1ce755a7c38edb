interface Waiting<T> {
  resolve: (result: IteratorResult<T, undefined>) => void;
  reject: (error: Error) => void;
}

/**
 * Hands what is pushed to one consumer, in order. After end() the consumer gets what is left, then the end or the error;
 * after close(), or when the consumer leaves the iteration (`onLeave`), nothing more.
 */
export class BatchQueue<T> implements AsyncIterableIterator<T, undefined> {
  #items: T[] = [];
  #waiting: Waiting<T>[] = [];
  #ended = false;
  #error: Error | undefined;

  constructor(private readonly onLeave: () => void) {}

  push(item: T): void {
    if (this.#ended) return;
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve({ done: false, value: item });
    else this.#items.push(item);
  }

  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    const [first, ...others] = this.#waiting;
    this.#waiting = [];
    if (first && error) first.reject(error);
    else {
      this.#error = error;
      first?.resolve({ done: true, value: undefined });
    }
    for (const waiting of others) waiting.resolve({ done: true, value: undefined });
  }

  close(): void {
    this.#items = [];
    this.end();
    this.#error = undefined;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve({ done: false, value: item });
    const error = this.#error;
    if (error) {
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.close();
    this.onLeave();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
