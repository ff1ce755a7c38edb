import { setTimeout as delay } from 'node:timers/promises';
import {
  EngineError,
  type Engine,
  type GeneratedToken,
  type GenerateOptions,
  type GenerateStatistics,
  type Generation,
  type ModelFacts,
  type StopReason,
} from '../../lsp-server/engine/contract';

/** What the fake model answers to a prompt. */
export interface Script {
  tokens: readonly number[];
  /** Milliseconds before each token; 0 gives all in one batch. */
  pace?: number;
  /** Go on past stop tokens, and give them out. */
  ignoresStops?: boolean;
  /** Fail after this many tokens. */
  failAfter?: number;
}

/** One request that the engine got. */
export interface SeenRequest {
  prompt: number[];
  options: GenerateOptions;
  cancelled: boolean;
  produced: number;
  ended: boolean;
}

/** An engine that says what the test tells it to, one request after another as the real one does. */
export class FakeEngine implements Engine {
  readonly requests: SeenRequest[] = [];
  disposed = false;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly respond: (prompt: number[], options: GenerateOptions) => Script,
    readonly model: ModelFacts = {
      family: 'fake',
      vocabularySize: 16384,
      contextLength: 2048,
      endTokens: [0],
      description: 'fake: no threads',
      memoryBytes: 0,
    },
  ) {}

  generate(tokens: ArrayLike<number>, options: GenerateOptions): Generation {
    if (this.disposed) throw new EngineError('disposed', 'The engine is disposed.');
    const request: SeenRequest = {
      prompt: Array.from(tokens),
      options,
      cancelled: false,
      produced: 0,
      ended: false,
    };
    this.requests.push(request);
    const generation = new FakeGeneration(request, this.respond(request.prompt, options), this.queue);
    this.queue = generation.done.catch(() => undefined);
    return generation;
  }

  async dispose(): Promise<void> {
    this.disposed = true;
    for (const request of this.requests) request.cancelled = true;
    await this.queue;
  }
}

class FakeGeneration implements Generation {
  readonly done: Promise<GenerateStatistics>;
  private batches: (readonly GeneratedToken[])[] = [];
  private wake: () => void = () => undefined;
  private failure: unknown;

  constructor(
    private readonly request: SeenRequest,
    private readonly script: Script,
    before: Promise<unknown>,
  ) {
    this.done = before.then(() => this.run());
    this.done
      .catch((error: unknown) => {
        this.failure = error;
      })
      .finally(() => {
        request.ended = true;
        this.wake();
      });
  }

  cancel(): void {
    this.request.cancelled = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<readonly GeneratedToken[]> {
    for (;;) {
      const batch = this.batches.shift();
      if (this.request.cancelled) return;
      if (batch) yield batch;
      else if (this.failure instanceof Error) throw this.failure;
      else if (this.request.ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    }
  }

  private async run(): Promise<GenerateStatistics> {
    const { tokens, pace = 0, failAfter = Infinity, ignoresStops = false } = this.script;
    const { maxTokens, stopTokens } = this.request.options;
    let stop: StopReason = 'maxTokens';
    for (const token of tokens) {
      if (pace > 0) await delay(pace);
      if (this.request.cancelled || this.request.produced >= maxTokens) break;
      if (this.request.produced >= failAfter) throw new EngineError('stuck', 'Nothing came from edge "head".');
      if (stopTokens.includes(token) && !ignoresStops) {
        stop = 'stopToken';
        break;
      }
      this.request.produced += 1;
      this.batches.push([{ token, logprob: -0.1 }]);
      this.wake();
    }
    return {
      prefilled: this.request.prompt.length,
      reused: 0,
      generated: this.request.produced,
      drafted: 0,
      accepted: 0,
      queued: 0,
      timeToFirstToken: 1,
      decodeTime: this.request.produced,
      decodeRate: 1000,
      stop: this.request.cancelled ? 'cancelled' : stop,
    };
  }
}
