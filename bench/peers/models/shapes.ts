/** Llama-shaped models that both engines can run, from the same weights. */
export interface LlamaShape {
  name: string;
  title: string;
  hidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  ffn: number;
  vocabulary: number;
  tied: boolean;
  contextLength: number;
  ropeTheta: number;
  normEpsilon: number;
}

const defaults = {
  headDim: 64,
  vocabulary: 8192,
  tied: true,
  contextLength: 4096,
  ropeTheta: 10000,
  normEpsilon: 1e-5,
};

export const shapes = {
  S: { ...defaults, name: 'S', title: 'S, 31 M', hidden: 512, layers: 8, heads: 8, kvHeads: 8, ffn: 1536 },
  M: { ...defaults, name: 'M', title: 'M, 110 M', hidden: 768, layers: 12, heads: 12, kvHeads: 4, ffn: 3072 },
  L: {
    ...defaults,
    name: 'L',
    title: 'L, the 2B shape',
    hidden: 3072,
    layers: 15,
    heads: 32,
    kvHeads: 16,
    headDim: 96,
    ffn: 12288,
    vocabulary: 32000,
    tied: false,
  },
} satisfies Record<string, LlamaShape>;

/** Weights that one decoded token reads: all but the embedding table, of which it reads one row (all of it when tied). */
export function parametersRead(shape: LlamaShape): number {
  const attention = (2 * shape.heads + 2 * shape.kvHeads) * shape.headDim * shape.hidden;
  const layer = attention + 3 * shape.hidden * shape.ffn + 2 * shape.hidden;
  return shape.layers * layer + shape.hidden + shape.vocabulary * shape.hidden;
}

/** All weights of the model. */
export function parameterCount(shape: LlamaShape): number {
  return parametersRead(shape) + (shape.tied ? 0 : shape.vocabulary * shape.hidden);
}

/** Bytes a weight takes in a row of the tables: q8_0 and int8 with a 16-bit scale for each group of 32. */
export const bytesPerWeight = { f32: 4, bf16: 2, q8_0: 34 / 32 } as const;

export type WeightType = keyof typeof bytesPerWeight;
