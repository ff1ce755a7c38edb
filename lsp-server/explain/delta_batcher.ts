/** Milliseconds that pieces of text are gathered before they are sent. */
const interval = 40;

/** Joins pieces of text so that they are sent at most 25 times a second, in order. */
export class DeltaBatcher implements Disposable {
  private pending = '';
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly send: (delta: string) => void) {}

  push(text: string): void {
    this.pending += text;
    this.timer ??= setTimeout(() => {
      this.flush();
    }, interval);
  }

  /** Sends what waits. */
  flush(): void {
    this[Symbol.dispose]();
    if (this.pending === '') return;
    this.send(this.pending);
    this.pending = '';
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
