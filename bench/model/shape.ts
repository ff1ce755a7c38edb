/** Laneformer 2B, as its public config.json has it (kogai/laneformer-2b-it). */
export const laneformer2b = {
  hidden: 3072,
  layers: 15,
  lanes: 8,
  broadcastDelay: 2,
  heads: 32,
  kvHeads: 16,
  headDim: 96,
  ffn: 12288,
  vocabulary: 32000,
  window: 512,
  windowLayers: 10,
  weightBytes: 2,
};

export type Shape = typeof laneformer2b;

/** The weight matrices of one lane: rows and inner dimension. */
export function laneMatrices(shape: Shape) {
  const query = (shape.heads / shape.lanes) * shape.headDim;
  const keyValue = (2 * shape.kvHeads * shape.headDim) / shape.lanes;
  const ffn = shape.ffn / shape.lanes;
  return {
    qkv: { rows: query + keyValue, depth: shape.hidden },
    output: { rows: shape.hidden, depth: query },
    gateUp: { rows: 2 * ffn, depth: shape.hidden },
    down: { rows: shape.hidden, depth: ffn },
  };
}

/** Bytes of weights that one token reads. */
export function bytesOfToken(shape: Shape): number {
  const layer = Object.values(laneMatrices(shape)).reduce((sum, { rows, depth }) => sum + rows * depth, 0);
  return (shape.layers * shape.lanes * layer + shape.vocabulary * shape.hidden) * shape.weightBytes;
}
