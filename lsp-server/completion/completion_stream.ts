import type { GenerateStatistics, Generation } from '../engine/contract';
import { Detokenizer } from '../models/detokenizer';
import type { Tokenizer } from '../models/tokenizer';
import type { CursorContext } from './cursor_context';
import type { Extent } from './policy';
import type { StopRule } from './stop';

/** A completion being written by the engine: text so far, and whether it is complete. */
export class CompletionStream {
  /** Text that belongs to the completion; only grows, except that its end may be cut when it is complete. */
  text = '';
  finished = false;
  /** False when the model was stopped in the middle of something by the token limit. */
  whole = true;
  /** Whether the engine was stopped before the completion was complete, so that it says nothing about the place. */
  abandoned = false;
  /** Set when the text has been shown to the person once. */
  offered = false;
  /** Resolves with the engine's figures when all is over; rejects with EngineError. */
  readonly statistics: Promise<GenerateStatistics>;
  private readonly detokenizer: Detokenizer;
  private readonly tokens: number[] = [];
  private listeners = new Set<() => void>();
  private failure: Error | undefined;

  constructor(
    readonly context: CursorContext,
    readonly extent: Extent,
    private readonly generation: Generation,
    private readonly isEnd: (token: number) => boolean,
    private readonly stop: StopRule,
    tokenizer: Tokenizer,
  ) {
    this.detokenizer = new Detokenizer(tokenizer);
    this.statistics = this.run();
    this.statistics.catch((error: unknown) => {
      this.failure = error instanceof Error ? error : new Error(String(error));
      this.abandoned = true;
      this.settle();
    });
  }

  /** Resolves when there is more text or all is over; rejects when the engine failed. */
  async progress(signal: AbortSignal): Promise<void> {
    if (!this.finished && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.listeners.delete(done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        this.listeners.add(done);
        signal.addEventListener('abort', done);
      });
    }
    if (this.failure) throw this.failure;
  }

  /** Stops the engine; what there is stays, but is not the whole completion. */
  abandon(): void {
    if (this.finished) return;
    this.abandoned = true;
    this.generation.cancel();
    this.settle();
  }

  private async run(): Promise<GenerateStatistics> {
    for await (const batch of this.generation) {
      if (!this.finished && this.take(batch.map(({ token }) => token))) {
        this.generation.cancel();
        this.settle();
      }
      this.notify();
    }
    const statistics = await this.generation.done;
    if (!this.finished) {
      this.text += this.detokenizer.end();
      this.whole = statistics.stop === 'stopToken';
      this.cut(true);
      this.settle();
    }
    return statistics;
  }

  /** Adds tokens; true when the completion is complete. */
  private take(tokens: readonly number[]): boolean {
    const end = tokens.findIndex(this.isEnd);
    const wanted = end < 0 ? tokens : tokens.slice(0, end);
    this.tokens.push(...wanted);
    this.text += this.detokenizer.push(wanted);
    return this.cut(end >= 0) || end >= 0;
  }

  private cut(finished: boolean): boolean {
    const length = this.stop({ text: this.text, tokens: this.tokens, finished });
    if (length === undefined) return false;
    this.text = this.text.slice(0, length);
    this.whole = true;
    return true;
  }

  private settle(): void {
    this.finished = true;
    this.notify();
  }

  private notify(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
