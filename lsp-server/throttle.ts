/** Sends the newest value at once, but not more often than once per `interval` milliseconds; the last one always comes. */
export class Throttle<Value> implements Disposable {
  private latest: { value: Value } | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly interval: number,
    private readonly send: (value: Value) => void,
  ) {}

  push(value: Value): void {
    this.latest = { value };
    if (this.timer === undefined) this.flush();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
    this.latest = undefined;
  }

  private flush(): void {
    const { latest } = this;
    this.timer = undefined;
    if (!latest) return;
    this.latest = undefined;
    this.timer = setTimeout(() => {
      this.flush();
    }, this.interval);
    this.timer.unref();
    this.send(latest.value);
  }
}
