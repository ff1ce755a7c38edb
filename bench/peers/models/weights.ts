import { type LlamaShape } from './shapes';

/** One tensor of a checkpoint, under its Hugging Face name. `read` gives the same bfloat16 bits, row-major, each time. */
export interface Weight {
  name: string;
  shape: readonly number[];
  read(): Uint16Array;
}

/** A whole Llama checkpoint; every number is exact in bfloat16, so that f32 and bf16 files hold the same model. */
export interface LlamaWeights {
  shape: LlamaShape;
  weights: readonly Weight[];
  /** Ordinary tokens of the vocabulary, by id, and the merges of its byte-level BPE ("a b"). */
  tokens: readonly string[];
  merges: readonly string[];
  endToken: number;
}

/** The tensors of a Llama checkpoint: names and shapes, embedding first. */
export function llamaTensors(shape: LlamaShape): { name: string; shape: readonly number[] }[] {
  const { hidden, ffn, vocabulary } = shape;
  const query = shape.heads * shape.headDim;
  const keyValue = shape.kvHeads * shape.headDim;
  const tensors: { name: string; shape: readonly number[] }[] = [
    { name: 'model.embed_tokens.weight', shape: [vocabulary, hidden] },
  ];
  for (let layer = 0; layer < shape.layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    tensors.push(
      { name: `${prefix}input_layernorm.weight`, shape: [hidden] },
      { name: `${prefix}self_attn.q_proj.weight`, shape: [query, hidden] },
      { name: `${prefix}self_attn.k_proj.weight`, shape: [keyValue, hidden] },
      { name: `${prefix}self_attn.v_proj.weight`, shape: [keyValue, hidden] },
      { name: `${prefix}self_attn.o_proj.weight`, shape: [hidden, query] },
      { name: `${prefix}post_attention_layernorm.weight`, shape: [hidden] },
      { name: `${prefix}mlp.gate_proj.weight`, shape: [ffn, hidden] },
      { name: `${prefix}mlp.up_proj.weight`, shape: [ffn, hidden] },
      { name: `${prefix}mlp.down_proj.weight`, shape: [hidden, ffn] },
    );
  }
  tensors.push({ name: 'model.norm.weight', shape: [hidden] });
  if (!shape.tied) tensors.push({ name: 'lm_head.weight', shape: [vocabulary, hidden] });
  return tensors;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
