/**
 * The messages between the extension and the language server that LSP does not have, and the settings both read.
 * Shared by both sides; imports nothing of either. Any LSP editor can use them.
 */
import { NotificationType, RequestType } from 'vscode-languageserver-protocol';
import type { Range } from 'vscode-languageserver-types';

/** The kinds of GPU that kernels are built for. */
export type GpuTarget = 'gfx942' | 'sm_90' | 'sm_80';

/** Section `monokernel` of the person's settings; the client sends all of it at start and on each change. */
export interface Settings {
  /** Whether completions are offered at all. */
  enable: boolean;
  /** Per language id, `*` for the rest. */
  languages: Record<string, boolean>;
  model: {
    /** Folder of the model; empty for the one that comes with the extension. */
    path: string;
  };
  engine: 'auto' | 'cpu' | GpuTarget;
  /** What the CPU engine keeps weights as: `bf16` as they are stored, `int8` in bytes; `auto` decides by their size. */
  precision: 'auto' | 'bf16' | 'int8';
  /** Whether greedy text is drafted from earlier text and verified several tokens a step; CPU only. */
  speculation: 'off' | 'promptLookup';
  /** CPU workers; 0: as many as there are physical cores. */
  threads: number;
  completion: {
    maxTokens: number;
    /** Shortest time from a keystroke to ghost text, in milliseconds. */
    showDelay: number;
    /** `auto`: a block where a block starts or on demand, the rest of the line elsewhere. */
    mode: 'auto' | 'line' | 'block';
  };
  explain: { maxTokens: number };
}

/** Sent in `initialize`: where things are, and the settings at start. */
export interface InitializationOptions {
  settings: Settings;
  /** Absolute path of the model that comes with the extension. */
  defaultModel: string;
  /** Absolute path of the native addon. */
  addon: string;
}

export type ServerState = 'loading' | 'ready' | 'generating' | 'error';

/** State of the server, sent on every change and at most 4 times a second while a number in it runs. */
export interface StatusParams {
  state: ServerState;
  /** 0..1 while loading. */
  progress?: number;
  /** What is wrong and what to do, when state is `error`. */
  message?: string;
  /** Model folder's name. */
  model?: string;
  /** What runs it, for people: "cpu: 2 threads, AVX-512 BF16, bf16 weights". */
  engine?: string;
  /** Why this device and this precision, for the log. */
  reason?: string;
  /** Settings that could not be followed, and what is done instead. */
  warnings?: string[];
}

/** Figures of the last request and of the session, at most 4 times a second. Times in milliseconds, rates in tokens/s. */
export interface StatsParams {
  kind: 'completion' | 'explain';
  promptTokens: number;
  reusedTokens: number;
  generatedTokens: number;
  timeToFirstToken: number;
  prefillRate: number;
  decodeRate: number;
  /** Decode rate over the latest requests; 0 until they decoded enough tokens to say. */
  recentRate: number;
  /** Completions of this session: offered to the editor, and accepted by the person. */
  offered: number;
  accepted: number;
}

export interface ExplainParams {
  /** Chosen by the client; the deltas carry it. */
  id: string;
  textDocument: { uri: string };
  range: Range;
}

export interface ExplainResult {
  /** The whole explanation, Markdown. */
  text: string;
  stopped: 'end' | 'limit' | 'cancelled';
}

/** A piece of Markdown to append, batched to at most 30 a second. */
export interface ExplainDeltaParams {
  id: string;
  delta: string;
}

/** The CPU as the operating system describes it. */
export interface TopologyCpu {
  /** Empty: not known. */
  name: string;
  /** Physical cores; `used` where a worker may run, `worker` where one would, if the CPU runs the model. */
  cores: { processor: number; package: number; node: number; used: boolean; worker?: number }[];
  caches: { level: number; type: string; bytes: number; count: number; sharedBy: number }[];
  nodes: { index: number; memoryBytes: number }[];
}

/** What a calibration found out about a GPU's memory. */
export interface TopologyCalibration {
  /** Pages of 4 KiB after which their homes repeat; 0: no usable structure. */
  period: number;
  homes: number;
  /** 0..1. */
  confidence: number;
  /** Median round trip of a flag in a page of the own home and of another; 0: not measured. */
  localNanoseconds: number;
  remoteNanoseconds: number;
  pages: number;
  reason: string;
}

/** What came of measuring a GPU's memory. */
export interface MeasuredGpu {
  gpu: number;
  name: string;
  /** Whether there is a result, which is kept. */
  kept: boolean;
  /** What was found, or what went wrong. */
  reason: string;
}

/** A GPU that the kernels run on. */
export interface TopologyGpu {
  target: GpuTarget;
  name: string;
  driver: string;
  /** As its driver counts. */
  index: number;
  computeUnits: number;
  memoryBytes: number;
  computeDies: number;
  /** Parts of the memory that some dies are nearer to than others. */
  homes: number;
  /** HBM stacks; 0: not known. */
  stacksPerHome: number;
  calibration?: TopologyCalibration;
}

export interface TopologyProblem {
  /** An `error` keeps the model, or what the settings ask for, from running. */
  severity: 'error' | 'hint';
  what: string;
  /** What to do. */
  remedy: string;
}

/** The machine, what runs on it and what is wrong with it. */
export interface TopologyResult {
  /** Of the native engine; empty when it cannot be loaded. */
  version: string;
  /** Best first. */
  instructionSets: string[];
  cpu: TopologyCpu;
  gpus: TopologyGpu[];
  /** What was looked for on the GPU side, a line each. */
  gpuSearch: string[];
  /** GPU code objects that came with the extension. */
  kernels: { name: string; bytes: number }[];
  engine: {
    setting: Settings['engine'];
    /** What the setting comes to on this machine; undefined: nothing can run. */
    chosen?: 'cpu' | GpuTarget;
    why: string;
    /** CPU workers when the CPU is chosen. */
    workers: number;
    /** What runs now, for people; undefined while no model is loaded. */
    running?: string;
  };
  model: { path: string; name?: string; family?: string; lanes?: number };
  /** Lanes of the model on each die of each GPU that is used. */
  placement: { gpu: number; die: number; lanes: number[] }[];
  problems: TopologyProblem[];
}

/** Explains a selection; streams `ExplainDelta` until it answers. Cancel by the request's token. */
export const ExplainRequest = new RequestType<ExplainParams, ExplainResult, void>('monokernel/explain');
export const ExplainDelta = new NotificationType<ExplainDeltaParams>('monokernel/explainDelta');
/** Looks at the machine, in a process of its own: takes a moment, seconds with large GPUs. */
export const TopologyRequest = new RequestType<object, TopologyResult, void>('monokernel/topology');
/**
 * Measures which memory of each GPU is near which of its dies, and keeps that for this user. The engine is unloaded
 * meanwhile and loaded again at the end, also when this is cancelled.
 */
export const MeasureMemoryRequest = new RequestType<object, MeasuredGpu[], void>('monokernel/measureMemory');
export const Status = new NotificationType<StatusParams>('monokernel/status');
export const Stats = new NotificationType<StatsParams>('monokernel/stats');

/** Runs after a full accept of an item, for every LSP editor: `workspace/executeCommand` with the item's id. */
export const ACCEPTED_COMMAND = 'monokernel.completionAccepted';
