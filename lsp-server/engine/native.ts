import path from 'node:path';
import type { AddonEngine, EngineStatistics } from './addon';
import { loadAddon, messageOf } from './addon';
import { BatchQueue } from './batch_queue';
import type {
  Engine,
  EngineOptions,
  GeneratedToken,
  GenerateOptions,
  GenerateStatistics,
  Generation,
  ModelFacts,
} from './contract';
import { EngineError } from './contract';

/** An engine that the addon runs in this process. */
export interface NativeEngine extends Engine {
  statistics(): EngineStatistics;
}

/**
 * Loads the model of `folder` through the addon; `onProgress` gets 0..1. The GPU kernels serve every platform, so they lie
 * in `kernels` beside the addon's platform folder.
 * Rejects with EngineError.
 */
export async function loadEngine(
  addon: string,
  folder: string,
  options: EngineOptions,
  onProgress: (fraction: number) => void = () => undefined,
): Promise<NativeEngine> {
  try {
    const allOptions = { ...options, kernelFolder: path.join(path.dirname(addon), '..', 'kernels') };
    return new AddonBackedEngine(await loadAddon(addon).Engine.load(folder, allOptions, onProgress));
  } catch (error) {
    throw toEngineError(error);
  }
}

class AddonBackedEngine implements NativeEngine {
  readonly model: ModelFacts;

  constructor(private readonly engine: AddonEngine) {
    const { endTokens, ...facts } = engine.facts;
    this.model = { ...facts, endTokens: Array.from(endTokens) };
  }

  generate(tokens: ArrayLike<number>, options: GenerateOptions): Generation {
    return new AddonGeneration(this.engine, Int32Array.from(tokens), options);
  }

  statistics(): EngineStatistics {
    return rethrown(() => this.engine.statistics());
  }

  dispose(): Promise<void> {
    return this.engine.dispose();
  }
}

class AddonGeneration implements Generation {
  readonly done: Promise<GenerateStatistics>;
  readonly #queue = new BatchQueue<readonly GeneratedToken[]>(() => {
    this.cancel();
  });
  readonly #cancel: () => void;

  constructor(engine: AddonEngine, tokens: Int32Array, options: GenerateOptions) {
    const { promise, resolve, reject } = withResolvers<GenerateStatistics>();
    this.done = promise;
    this.done.catch(() => undefined); // whoever only iterates gets the error there
    const id = rethrown(() =>
      engine.generate(
        tokens,
        options,
        (batch, logprobs) => {
          this.#queue.push(Array.from(batch, (token, index) => ({ token, logprob: logprobs[index] ?? NaN })));
        },
        (error, statistics) => {
          const failure = error ? toEngineError(error) : undefined;
          this.#queue.end(failure);
          if (failure) reject(failure);
          else resolve(statistics);
        },
      ),
    );
    this.#cancel = () => {
      engine.cancel(id);
    };
  }

  cancel(): void {
    this.#queue.close();
    this.#cancel();
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly GeneratedToken[]> {
    return this.#queue;
  }
}

function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

function rethrown<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toEngineError(error);
  }
}

/** The addon's errors carry a `code`; anything else is a fault of ours. */
function toEngineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'internal';
  return new EngineError(code, messageOf(error));
}
