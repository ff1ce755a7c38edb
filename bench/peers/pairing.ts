import * as path from 'node:path';
import { Contender } from './contender';
import { HandOff } from './hand_off';
import { type Peers } from './install';
import { bytesPerWeight, parametersRead, type LlamaShape, type WeightType } from './models/shapes';
import { type ModelStore } from './models/store';
import { type LlamaWeights } from './models/weights';
import { root } from './project';

/** Tokens that a sequence may have: the longest prompt and what is decoded after it, as far as the model allows. */
export function contextLength(shape: LlamaShape): number {
  return Math.min(2560, shape.contextLength);
}

export const engines = {
  ours: 'Monokernel',
  native: 'llama.cpp',
  packaged: 'llama.cpp, npm build',
  node: 'node-llama-cpp',
  limit: 'stream read',
} as const;

/** What our engine keeps weights as; `bf16` is as they are stored. */
export type Precision = 'bf16' | 'int8';

/** The number formats that are compared with each other. */
export interface Formats {
  title: string;
  /** The folder that our engine loads, and the precision that it is asked for. */
  folder: 'f32' | 'bf16';
  precision: Precision;
  theirs: WeightType;
}

export const formats = {
  f32: { title: 'f32', folder: 'f32', precision: 'bf16', theirs: 'f32' },
  bf16: { title: 'bf16', folder: 'bf16', precision: 'bf16', theirs: 'bf16' },
  int8: { title: 'int8 / q8_0', folder: 'bf16', precision: 'int8', theirs: 'q8_0' },
} satisfies Record<string, Formats>;

/** Bytes of weights that a token must read. */
export function weightBytes(shape: LlamaShape, { theirs }: Formats): number {
  return parametersRead(shape) * bytesPerWeight[theirs];
}

/** Starts our engine on a model folder; `context` 0 is the model's limit. */
export function startOurs(folder: string, threads: number, context: number, precision: Precision): Promise<Contender> {
  const program = path.join(root, 'out/tools/monokernel_peer.js');
  const args = [folder, String(threads), String(context), precision];
  return Contender.start(engines.ours, threads, [process.execPath, program, ...args]);
}

/** llama.cpp on a GGUF file through its C API, the better build first. */
export async function startLlama(peers: Peers, file: string, threads: number, context: number): Promise<Contender[]> {
  const args = [file, String(threads), String(context)];
  const packaged = [peers.packaged, ...args, peers.packagedLibraries];
  const started = [await Contender.start(engines.packaged, threads, packaged)];
  if (peers.native !== undefined)
    started.unshift(await Contender.start(engines.native, threads, [peers.native, ...args]));
  return started;
}

function startNode(peers: Peers, file: string, threads: number, context: number): Promise<Contender> {
  const args = [file, String(threads), String(context)];
  return Contender.start(engines.node, threads, [process.execPath, peers.node, ...args]);
}

/** All contenders on the same weights in comparable formats, each in its process. */
export class Pairing implements AsyncDisposable {
  private constructor(
    readonly shape: LlamaShape,
    readonly formats: Formats,
    readonly contenders: readonly Contender[],
    readonly limits: readonly Contender[],
    readonly handOff: HandOff,
  ) {}

  static async start(
    model: LlamaWeights,
    pair: Formats,
    {
      store,
      peers,
      threads,
      withNode,
    }: { store: ModelStore; peers: Peers; threads: readonly number[]; withNode: boolean },
  ): Promise<Pairing> {
    const folder = store.safetensors(model, pair.folder);
    const file = store.gguf(model, pair.theirs);
    const contenders: Contender[] = [];
    const limits: Contender[] = [];
    const context = contextLength(model.shape);
    for (const count of threads) {
      contenders.push(await startOurs(folder, count, context, pair.precision));
      contenders.push(...(await startLlama(peers, file, count, context)));
      if (withNode) contenders.push(await startNode(peers, file, count, context));
      const bytes = String(Math.round(weightBytes(model.shape, pair)));
      limits.push(await Contender.start(engines.limit, count, [peers.streamRead, bytes, String(count)]));
    }
    return new Pairing(model.shape, pair, contenders, limits, await HandOff.start(peers));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const programs = [...this.contenders, ...this.limits, this.handOff];
    await Promise.all(programs.map((program) => program[Symbol.asyncDispose]()));
  }
}
