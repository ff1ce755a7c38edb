import { createRequire } from 'node:module';
import type { MeasuredGpu, TopologyCpu, TopologyGpu } from '../protocol';
import type { EngineOptions, GenerateOptions, GenerateStatistics } from './contract';
import { EngineError } from './contract';

/** Sums over an engine's life. Times in milliseconds. */
export interface EngineStatistics {
  requests: number;
  cancelled: number;
  failed: number;
  prefilledTokens: number;
  reusedTokens: number;
  generatedTokens: number;
  /** Tokens that speculation verified, and of these what came out so. */
  draftedTokens: number;
  acceptedTokens: number;
  prefillTime: number;
  decodeTime: number;
  memoryBytes: number;
}

/** What the addon found on this machine. */
export interface ProbeResult {
  version: string;
  /** Best first. */
  instructionSets: string[];
  cpu: TopologyCpu;
  gpuDevices: TopologyGpu[];
  /** What was looked for on the GPU side, a line each. */
  gpuReason: string;
}

export interface AddonFacts {
  family: string;
  vocabularySize: number;
  contextLength: number;
  endTokens: Int32Array;
  description: string;
  deviceReason: string;
  gpuCount: number;
  precision: 'stored' | 'int8';
  precisionReason: string;
  speculates: boolean;
  memoryBytes: number;
}

/** An engine of native/binding. `onTokens` may be called many times, then `onEnd` once; never within generate(). */
export interface AddonEngine {
  readonly facts: AddonFacts;
  generate(
    tokens: Int32Array,
    options: GenerateOptions,
    onTokens: (tokens: Int32Array, logprobs: Float32Array) => void,
    onEnd: (error: Error | null, statistics: GenerateStatistics) => void,
  ): number;
  cancel(id: number): void;
  statistics(): EngineStatistics;
  dispose(): Promise<void>;
}

/** The native addon as native/binding defines it. */
export interface Addon {
  Engine: {
    load(
      folder: string,
      options: EngineOptions & { kernelFolder: string },
      onProgress: (fraction: number) => void,
    ): Promise<AddonEngine>;
  };
  /** `workers`: a number as text; without it one for each core. */
  probe(workers?: string): ProbeResult;
  calibrate(kernelFolder: string): MeasuredGpu[];
}

/** Loads the addon into this process; probe it in a child process first (probe.ts). Throws EngineError. */
export function loadAddon(file: string): Addon {
  let loaded: unknown;
  try {
    loaded = createRequire(__filename)(file);
  } catch (error) {
    throw new EngineError('addonUnusable', `The engine's addon ${file} cannot be loaded: ${messageOf(error)}`);
  }
  if (!isAddon(loaded)) {
    throw new EngineError('addonUnusable', `${file} is not Monokernel's addon: install the extension again.`);
  }
  return loaded;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isAddon(value: unknown): value is Addon {
  return (
    typeof value === 'object' &&
    value !== null &&
    'Engine' in value &&
    typeof value.Engine === 'function' &&
    'probe' in value &&
    typeof value.probe === 'function'
  );
}
