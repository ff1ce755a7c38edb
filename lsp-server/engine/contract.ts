/** What the server needs of an engine. `native.ts` gives the real one; tests may give their own. */
import type { GpuTarget } from '../protocol';

/** `promptLookup`: greedy requests verify tokens that earlier text suggests, several a step. The result is the same. */
export type Speculation = 'off' | 'promptLookup';

export interface EngineOptions {
  device: 'auto' | 'cpu' | GpuTarget;
  /** CPU: `bf16` keeps the weights as they are stored, `int8` in bytes; `auto` (also when left out) by their size. */
  precision?: 'auto' | 'bf16' | 'int8';
  /** CPU workers; 0: as many as there are physical cores. */
  threads: number;
  /** KV cache sequences; more keep more prefixes warm. */
  slots: number;
  /** Tokens a slot; 0: the model's limit. */
  contextLength: number;
  /** CPU only, for tests: one of the probe's; empty for the best there is. */
  instructionSet?: string;
}

export interface GenerateOptions {
  maxTokens: number;
  stopTokens: readonly number[];
  /** 0 is greedy. */
  temperature?: number;
  topK?: number;
  topP?: number;
  seed?: number;
  /** `off` when left out. */
  speculation?: Speculation;
  /** Stop before a token that is less probable than this. */
  minProbability?: number;
}

export interface GeneratedToken {
  token: number;
  logprob: number;
}

export type StopReason = 'stopToken' | 'maxTokens' | 'contextFull' | 'minProbability' | 'cancelled';

/** Times in milliseconds, rate in tokens/s. */
export interface GenerateStatistics {
  prefilled: number;
  reused: number;
  generated: number;
  /** Tokens that speculation verified, and of these what came out so. */
  drafted: number;
  accepted: number;
  queued: number;
  timeToFirstToken: number;
  decodeTime: number;
  decodeRate: number;
  stop: StopReason;
}

/** One request under way: iterate for the tokens (in batches, as they come), await `done` for the statistics. */
export interface Generation extends AsyncIterable<readonly GeneratedToken[]> {
  /** Resolves when the request has ended, also when cancelled; rejects with EngineError when it failed. */
  readonly done: Promise<GenerateStatistics>;
  /** Takes effect within one token; the iteration ends. */
  cancel(): void;
}

export interface ModelFacts {
  family: string;
  vocabularySize: number;
  contextLength: number;
  endTokens: readonly number[];
  /** For people: "cpu: 2 threads, AVX-512 BF16". */
  description: string;
  /** Why this device runs it, for the log. */
  deviceReason?: string;
  /** GPUs that the model is on; 0: the CPU runs it. */
  gpuCount?: number;
  /** What the weights are kept as. */
  precision?: 'stored' | 'int8';
  /** Why, for the log. */
  precisionReason?: string;
  /** Whether it can speculate; else requests are decoded plainly. */
  speculates?: boolean;
  memoryBytes: number;
}

export interface Engine {
  readonly model: ModelFacts;
  generate(tokens: ArrayLike<number>, options: GenerateOptions): Generation;
  /** Cancels what runs and frees the memory; resolves when both are done. */
  dispose(): Promise<void>;
}

/**
 * What went wrong in the engine or the model folder. `code` is stable; `message` names what is wrong and what to do.
 * Codes: of the addon `addonMissing`, `addonUnusable`, `addonLibraryMissing`, `addonSystemTooOld`, `addonCrashed`,
 * `addonTimeout`; of the model folder those of native/model/model_error.h (`folderMissing`, `tensorShape`, ...); of a
 * request `requestInvalid`, `executionFailed`, `engineClosed`; else `optionInvalid`, `disposed`, `internal`.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}
