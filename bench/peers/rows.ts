import { engines } from './pairing';
import { type Contender } from './contender';
import { type Figure } from './statistics';

/** One thing measured for all contenders. */
export interface Row {
  model: string;
  weights: string;
  /** `depth` tokens stand before what is decoded. */
  measure:
    | { kind: 'decode'; depth: number; busy: number }
    | { kind: 'first'; prompt: number; reused: number }
    | { kind: 'memory' };
  cells: readonly Cell[];
  /** Nanoseconds from one processor to the other meanwhile. */
  handOff?: number | undefined;
  /** GB/s that reading alone reaches with most threads, and bytes a token reads: of decode without other work. */
  limit?: { rate: Figure; bytes: number };
  /** After a prompt with a reused prefix: our engine's decode, tokens/s, on which its time to the first token is held. */
  decodeAfter?: readonly Cell[];
  /** Bytes that our engine says it needs: weights, KV cache and what it computes in. */
  memory?: number;
}

export interface Cell {
  engine: string;
  threads: number;
  /** Tokens/s, milliseconds, or bytes. */
  figure: Figure;
}

export function cellsOf(figures: ReadonlyMap<Contender, Figure>): Cell[] {
  return [...figures].map(([{ title, threads }, figure]) => ({ engine: title, threads, figure }));
}

const lessIsBetter = (row: Row): boolean => row.measure.kind !== 'decode';

/** The best cell of some engines, of one number of threads or any. */
export function best(row: Row, titles: readonly string[], threads?: number): Cell | undefined {
  const sign = lessIsBetter(row) ? 1 : -1;
  return row.cells
    .filter((cell) => titles.includes(cell.engine) && (threads === undefined || cell.threads === threads))
    .sort((a, b) => sign * (a.figure.median - b.figure.median))[0];
}

/** llama.cpp without JavaScript between, whichever build of it is the better one. */
export const llama: readonly string[] = [engines.native, engines.packaged];
export const ours: readonly string[] = [engines.ours];
export const node: readonly string[] = [engines.node];

/** How many times better ours is; undefined without either. */
export function ratio(row: Row, mine: Cell | undefined, theirs: Cell | undefined): number | undefined {
  if (!mine || !theirs) return undefined;
  const quotient = mine.figure.median / theirs.figure.median;
  return lessIsBetter(row) ? 1 / quotient : quotient;
}

export function mostThreads(row: Row): number {
  return Math.max(...row.cells.map(({ threads }) => threads));
}
