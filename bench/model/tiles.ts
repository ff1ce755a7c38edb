/**
 * Bytes that one workgroup streams of a matrix in our layout: whole tiles, so more than its rows have. The same choice as
 * native/exec/gpu/matrix_packing.cpp makes for gfx942.
 */

export interface TileShape {
  waves: number;
  /** Blocks of up to 16 rows by 32 elements of a wave's tile. */
  tileBlocks: number;
  /** Tiles side by side of a panel at most. */
  maxGroups: number;
}

/** What the layout must heed. */
export interface CutRules {
  /** So many neighbouring rows stay together. */
  rowMultiple: number;
  /** Every wave has a part of the inner dimension of its own. */
  ownSlices: boolean;
}

const chunkElements = 8;
const stepChunks = 4;
const blockRows = 16;
const panelRows = 256;
const panelCost = 4096;

/** Padded bytes of `rows` rows of `depth` bf16 values. */
export function paddedBytes(tile: TileShape, rows: number, depth: number, rules: CutRules): number {
  let best = { cost: Infinity, bytes: 0 };
  for (let depthWaves = tile.waves; depthWaves >= (rules.ownSlices ? tile.waves : 1); depthWaves /= 2) {
    for (let rowBlocks = tile.tileBlocks; rowBlocks > 0; rowBlocks--) {
      if (tile.tileBlocks % rowBlocks !== 0) continue;
      for (let groups = 1; groups <= (rowBlocks === tile.tileBlocks ? tile.maxGroups : 1); groups++) {
        const cut = cutFor(tile, rows, depth, { depthWaves, rowBlocks, groups }, rules);
        if (cut !== undefined && cut.cost < best.cost) best = cut;
      }
    }
  }
  return best.bytes;
}

interface Cut {
  depthWaves: number;
  rowBlocks: number;
  groups: number;
}

/** A cut's bytes, and its cost with what another panel takes; undefined where it has too many rows at once. */
function cutFor(tile: TileShape, rows: number, depth: number, cut: Cut, rules: CutRules) {
  const waveBlocks = cut.groups * cut.rowBlocks;
  const rowWaves = tile.waves / cut.depthWaves;
  const tileSteps = tile.tileBlocks / cut.rowBlocks;
  const waveChunks = Math.ceil(Math.ceil(depth / chunkElements) / cut.depthWaves);
  const tiles = Math.ceil(Math.ceil(waveChunks / stepChunks) / tileSteps);
  const panels = Math.ceil(rows / (rowWaves * waveBlocks * blockRows));
  const least = Math.ceil(rows / (rowWaves * waveBlocks * panels));
  const multiple = rules.rowMultiple === 1 || cut.rowBlocks % 2 === 0 ? 1 : 2;
  let height = Math.ceil(least / multiple) * multiple;
  while (panels > 1 && (rowWaves * waveBlocks * height) % rules.rowMultiple !== 0) height += multiple;
  if (rowWaves * waveBlocks * height > panelRows) return undefined;
  const tileBytes = tile.tileBlocks * height * stepChunks * chunkElements * 2;
  const bytes = panels * tiles * cut.groups * tile.waves * tileBytes;
  return { bytes, cost: bytes + (panels - 1) * panelCost };
}
