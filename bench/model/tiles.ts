/**
 * Bytes that one workgroup streams of a matrix in our layout: whole tiles, so more than its rows have. The same choice as
 * native/exec/gpu/matrix_packing.cpp makes for gfx942.
 */

export interface TileShape {
  waveLanes: number;
  waves: number;
  /** 16-byte vectors of a wave's tile. */
  tileVectors: number;
}

const chunkElements = 8;
const blockRows = 256;

/** Padded bytes of `rows` rows of `depth` bf16 values. */
export function paddedBytes(tile: TileShape, rows: number, depth: number): number {
  const waveChunks = Math.ceil(Math.ceil(depth / chunkElements) / tile.waves);
  let least = Infinity;
  for (let rowLanes = 1; rowLanes <= tile.waveLanes; rowLanes *= 2) {
    for (let tileSteps = 1; tileSteps <= tile.tileVectors; tileSteps++) {
      if (tile.tileVectors % tileSteps !== 0) continue;
      const steps = Math.ceil(Math.ceil(waveChunks / rowLanes) / tileSteps) * tileSteps;
      const groupRows = (tile.tileVectors / tileSteps) * (tile.waveLanes / rowLanes);
      if (groupRows > blockRows) continue;
      const groups = Math.max(1, Math.ceil(rows / groupRows));
      least = Math.min(least, groups * steps * (tile.tileVectors / tileSteps));
    }
  }
  return least * tile.waveLanes * 16 * tile.waves;
}
