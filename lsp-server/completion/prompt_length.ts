import type { GenerateStatistics } from '../engine/contract';

/** Lengths to choose from, in tokens; few, since each change costs one prompt computed anew. */
const lengths = [512, 1024, 2048, 4096] as const;

/** A prompt that is computed from nothing should take no longer than this; below half of it there is room for more. */
const patience = 1500;

/** Requests that compute fewer tokens say little about the rate. */
const enoughTokens = 128;

/** Chooses how long prompts may be by how fast the engine turns out to read them. */
export class PromptLength {
  private index = 1;
  private rate: number | undefined;

  /** Longest prompt, in tokens. */
  get current(): number {
    return lengths[this.index] ?? lengths[0];
  }

  /** Learns from a finished request. */
  observe({ prefilled, timeToFirstToken }: Pick<GenerateStatistics, 'prefilled' | 'timeToFirstToken'>): void {
    if (prefilled < enoughTokens || timeToFirstToken <= 0) return;
    const seen = prefilled / timeToFirstToken;
    this.rate = this.rate === undefined ? seen : (this.rate + seen) / 2;
    const longer = lengths[this.index + 1];
    if (this.index > 0 && this.current / this.rate > patience) this.index -= 1;
    else if (longer !== undefined && longer / this.rate < patience / 2) this.index += 1;
  }
}
