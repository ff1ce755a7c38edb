/** Says whether a server that stopped by itself is started again, and after how long. Holds no timer of its own. */

export interface Restart {
  /** Time to wait before the start, in milliseconds. */
  delay: number;
  /** Whether this is the first stop of a series, so that the person is told once. */
  first: boolean;
}

const WINDOW_MS = 3 * 60_000;
const LIMIT = 5;
const FIRST_DELAY_MS = 500;

export class RestartPolicy {
  #stops: number[] = [];

  /** Notes a stop at time `now` (milliseconds); undefined once it has stopped too often within three minutes. */
  stopped(now: number): Restart | undefined {
    this.#stops = this.#stops.filter((time) => now - time < WINDOW_MS);
    this.#stops.push(now);
    const count = this.#stops.length;
    if (count >= LIMIT) return undefined;
    return { delay: FIRST_DELAY_MS * 2 ** (count - 1), first: count === 1 };
  }

  /** Forgets the past: the person asked for a new start. */
  reset(): void {
    this.#stops = [];
  }
}
