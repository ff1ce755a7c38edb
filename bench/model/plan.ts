/** A token's phases on one device, with what each compute unit reads in them: the simulation's input. */
import { inputs } from './inputs';
import { laneMatrices, type Shape } from './shape';
import { paddedBytes, type CutRules, type TileShape } from './tiles';

/** How an engine does it. */
export interface Structure {
  name: string;
  devices: number;
  units: number;
  /** Weight bytes a unit may ask for before their phase's input is there; 0: none, each phase starts loading anew. */
  lookAhead: number;
  /** Weight bytes in flight or held a unit. */
  window: number;
  /** Bytes of a value that is handed over: with a tag beside it, or its readiness in itself. */
  wordBytes: number;
  /** The same in vectors that every unit of a lane reads, where several values may share a tag. */
  vectorBytes: number;
  /** Bytes of a value in the KV cache. */
  cacheBytes: number;
  /** KV chunks a head. */
  chunks: number;
  /** Our tiles; undefined: rows are split evenly without padding. */
  tile: TileShape | undefined;
  /** Each unit streams weights from its own I/O die only. */
  localWeights: boolean;
  /** And the KV cache. */
  localCache: boolean;
  /** Mailboxes lie on their consumer's I/O die. */
  localMailboxes: boolean;
  /** A device's lanes begin a token in four turns: each when one of the turn before has its queries, keys and values. */
  lanesInTurn: boolean;
  /** Between devices, where the exchange cannot be hidden; microseconds for `bytes` a peer. */
  exchange: (bytes: number) => number;
  /** Tokens in the cache. */
  context: number;
}

export interface Phase {
  name: string;
  /** Weight bytes of unit u of a lane's group. */
  weights: (unit: number) => number;
  /** Cache bytes of unit u: asked for when the phase's input is there. */
  cache: (unit: number) => number;
  /** Bytes of input that every unit collects before it computes. */
  staged: number;
  /** Extra time between the phase before and this one: an exchange between devices in full sight. */
  exchange: number;
  /** Whether it waits for all lanes, not for its own alone. */
  meets: boolean;
  /** Index of the phase two layers earlier whose outputs of other lanes this one adds; -1 for none. */
  past: number;
}

const none = (): number => 0;
// A unit makes whole words of two elements: two rows, or two gate rows and their up rows.
const plain: CutRules = { rowMultiple: 2, ownSlices: false };
const normed: CutRules = { rowMultiple: 1, ownSlices: true };
const gated: CutRules = { rowMultiple: 4, ownSlices: true };
const phasesOfLayer = 5;

/** `groups` lanes run side by side on a device, each on its own compute units. */
export interface DevicePlan {
  groups: number;
  unitsOfGroup: number;
  phases: Phase[];
  structure: Structure;
}

export function makePlan(shape: Shape, structure: Structure): DevicePlan {
  const groups = Math.max(1, shape.lanes / structure.devices);
  const unitsOfGroup = Math.floor(structure.units / groups);
  const matrices = laneMatrices(shape);
  const { wordBytes: word, vectorBytes: element } = structure;
  const rowsOf = ({ rows, depth }: { rows: number; depth: number }, units: number, rules: CutRules) => {
    const { tile } = structure;
    if (tile === undefined) return () => (rows * depth * shape.weightBytes) / units;
    const memberRows = Math.ceil(Math.ceil(rows / units) / rules.rowMultiple) * rules.rowMultiple;
    const bytes = paddedBytes(tile, memberRows, depth, rules);
    return () => bytes; // also units that have no rows, where these do not come out even
  };
  const phases: Phase[] = [];
  const add = (name: string, parts: Partial<Phase>): void => {
    phases.push({ name, weights: none, cache: none, staged: 0, exchange: 0, meets: false, past: -1, ...parts });
  };
  const laneHeads = shape.heads / shape.lanes;
  const kvHeads = shape.kvHeads / shape.lanes;
  for (let layer = 0; layer < shape.layers; layer++) {
    const tokens = layer < shape.windowLayers ? Math.min(shape.window, structure.context) : structure.context;
    const readers = Math.min(unitsOfGroup, kvHeads * structure.chunks);
    const cacheOfUnit = (2 * kvHeads * tokens * shape.headDim * structure.cacheBytes) / readers;
    /** The phase before this one, so many layers earlier: whose other lanes' outputs are added now. */
    const past = (module: number): number =>
      module >= shape.broadcastDelay ? phases.length - 1 - phasesOfLayer * shape.broadcastDelay : -1;
    add('qkv', {
      weights: rowsOf(matrices.qkv, unitsOfGroup, normed),
      staged: shape.hidden * element,
      past: past(layer - 1),
    });
    add('attention', {
      cache: (unit) => (unit < readers ? cacheOfUnit : 0),
      staged: (laneHeads / kvHeads + 2) * shape.headDim * word,
    });
    add('output', {
      weights: rowsOf(matrices.output, unitsOfGroup, plain),
      staged: laneHeads * structure.chunks * (shape.headDim * element + 2 * word),
    });
    add('gate and up', {
      weights: rowsOf(matrices.gateUp, unitsOfGroup, gated),
      staged: shape.hidden * element,
      past: past(layer),
    });
    add('down', { weights: rowsOf(matrices.down, unitsOfGroup, plain), staged: matrices.down.depth * element });
  }
  const headUnits = groups * unitsOfGroup;
  const headRows = shape.vocabulary / structure.devices;
  const stream = shape.hidden * word;
  add('lane mean', {
    staged: (shape.lanes * stream) / headUnits,
    exchange: structure.exchange(stream),
    meets: true,
  });
  const headOfUnit = rowsOf({ rows: headRows, depth: shape.hidden }, headUnits, normed);
  add('head', { weights: headOfUnit, staged: shape.hidden * element, meets: true });
  const summary = 6 * word;
  add('sample', { staged: headUnits * summary, exchange: structure.exchange(summary), meets: true });
  // The next token's embedding row: one trip to memory, no hand-off of its own.
  add('embed', { staged: inputs.memoryLatency.value * inputs.unitRate.value });
  return { groups, unitsOfGroup, phases, structure };
}
