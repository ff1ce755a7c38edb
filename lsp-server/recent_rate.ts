import type { GenerateStatistics } from './engine/contract';

/** Requests that the rate is taken over. */
const WINDOW = 16;
/** Fewer decoded tokens say more about the clock than about the engine. */
const FEWEST_TOKENS = 8;

/** Decode rate over the latest requests: their decoded tokens by their decode time, so that short ones weigh little. */
export class RecentRate {
  private readonly requests: { tokens: number; milliseconds: number }[] = [];

  /** Notes a request that ended; one that decoded nothing does not count. */
  add({ decodeRate, decodeTime }: Pick<GenerateStatistics, 'decodeRate' | 'decodeTime'>): void {
    if (decodeRate <= 0 || decodeTime <= 0) return;
    this.requests.push({ tokens: (decodeRate * decodeTime) / 1000, milliseconds: decodeTime });
    if (this.requests.length > WINDOW) this.requests.shift();
  }

  /** Tokens/s; 0 until enough tokens were decoded. */
  get value(): number {
    const tokens = this.requests.reduce((sum, request) => sum + request.tokens, 0);
    const milliseconds = this.requests.reduce((sum, request) => sum + request.milliseconds, 0);
    return Math.round(tokens) < FEWEST_TOKENS ? 0 : (tokens * 1000) / milliseconds;
  }
}
