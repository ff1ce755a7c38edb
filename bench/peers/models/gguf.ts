import * as fs from 'node:fs';
import { quantizeQ8, widenBfloat16 } from './numbers';
import { pairNeighbours } from './rope_rows';
import { bytesOf, writeAll } from './safetensors';
import { bytesPerWeight, type LlamaShape, type WeightType } from './shapes';
import { elementCount, type LlamaWeights, type Weight } from './weights';

/** Version 3 of the format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
const version = 3;
const alignment = 32;
/** ggml_type */
const tensorType = { f32: 0, q8_0: 8, bf16: 30 } as const;
/** general.file_type: what most tensors are. */
const fileType = { f32: 0, q8_0: 7, bf16: 32 } as const;
/** Kinds of metadata values. */
const valueKind = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const normalToken = 1;
const controlToken = 3;

type Value =
  | { kind: 'uint32' | 'float32'; value: number }
  | { kind: 'bool'; value: boolean }
  | { kind: 'string'; value: string }
  | { kind: 'strings'; value: readonly string[] }
  | { kind: 'int32s'; value: readonly number[] };

const uint32 = (value: number): Value => ({ kind: 'uint32', value });
const float32 = (value: number): Value => ({ kind: 'float32', value });
const string = (value: string): Value => ({ kind: 'string', value });

function metadata({ shape, tokens, merges, endToken }: LlamaWeights, type: WeightType): [string, Value][] {
  return [
    ['general.architecture', string('llama')],
    ['general.name', string(`bench ${shape.title}`)],
    ['general.file_type', uint32(fileType[type])],
    ['llama.vocab_size', uint32(shape.vocabulary)],
    ['llama.context_length', uint32(shape.contextLength)],
    ['llama.embedding_length', uint32(shape.hidden)],
    ['llama.block_count', uint32(shape.layers)],
    ['llama.feed_forward_length', uint32(shape.ffn)],
    ['llama.attention.head_count', uint32(shape.heads)],
    ['llama.attention.head_count_kv', uint32(shape.kvHeads)],
    ['llama.attention.key_length', uint32(shape.headDim)],
    ['llama.attention.value_length', uint32(shape.headDim)],
    ['llama.attention.layer_norm_rms_epsilon', float32(shape.normEpsilon)],
    ['llama.rope.dimension_count', uint32(shape.headDim)],
    ['llama.rope.freq_base', float32(shape.ropeTheta)],
    ['tokenizer.ggml.model', string('gpt2')],
    ['tokenizer.ggml.pre', string('gpt-2')],
    ['tokenizer.ggml.tokens', { kind: 'strings', value: tokens }],
    [
      'tokenizer.ggml.token_type',
      { kind: 'int32s', value: tokens.map((_, id) => (id === endToken ? controlToken : normalToken)) },
    ],
    ['tokenizer.ggml.merges', { kind: 'strings', value: merges }],
    ['tokenizer.ggml.bos_token_id', uint32(endToken)],
    ['tokenizer.ggml.eos_token_id', uint32(endToken)],
    ['tokenizer.ggml.add_bos_token', { kind: 'bool', value: false }],
  ];
}

/** Little-endian fields, one after another. */
class Fields {
  private readonly parts: Uint8Array[] = [];

  uint32(value: number): void {
    this.parts.push(bytesOf(Uint32Array.of(value)));
  }
  uint64(value: number): void {
    this.parts.push(bytesOf(BigUint64Array.of(BigInt(value))));
  }
  string(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    this.uint64(bytes.length);
    this.parts.push(bytes);
  }
  value(value: Value): void {
    if (value.kind === 'strings' || value.kind === 'int32s') {
      this.uint32(valueKind.array);
      this.uint32(value.kind === 'strings' ? valueKind.string : valueKind.int32);
      this.uint64(value.value.length);
      if (value.kind === 'int32s') this.parts.push(bytesOf(Int32Array.from(value.value)));
      else for (const text of value.value) this.string(text);
      return;
    }
    this.uint32(valueKind[value.kind]);
    if (value.kind === 'string') this.string(value.value);
    else if (value.kind === 'bool') this.parts.push(Uint8Array.of(value.value ? 1 : 0));
    else if (value.kind === 'float32') this.parts.push(bytesOf(Float32Array.of(value.value)));
    else this.uint32(value.value);
  }
  bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

const layerNames: Record<string, string> = {
  'input_layernorm.weight': 'attn_norm.weight',
  'self_attn.q_proj.weight': 'attn_q.weight',
  'self_attn.k_proj.weight': 'attn_k.weight',
  'self_attn.v_proj.weight': 'attn_v.weight',
  'self_attn.o_proj.weight': 'attn_output.weight',
  'post_attention_layernorm.weight': 'ffn_norm.weight',
  'mlp.gate_proj.weight': 'ffn_gate.weight',
  'mlp.up_proj.weight': 'ffn_up.weight',
  'mlp.down_proj.weight': 'ffn_down.weight',
};
const otherNames: Record<string, string> = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
};

/** GGUF's name of a Hugging Face tensor. */
function ggufName(name: string): string {
  const layer = /^model\.layers\.(\d+)\.(.+)$/.exec(name);
  const known = layer ? layerNames[layer[2] ?? ''] : otherNames[name];
  if (known === undefined) throw new Error(`No GGUF name is known for tensor ${name}`);
  return layer ? `blk.${layer[1]}.${known}` : known;
}

/** Vectors stay f32, as llama.cpp's own converter leaves them. */
function typeOf(weight: Weight, type: WeightType): WeightType {
  return weight.shape.length === 1 ? 'f32' : type;
}

const aligned = (size: number) => Math.ceil(size / alignment) * alignment;

function tensorBytes(weight: Weight, type: WeightType, shape: LlamaShape): Uint8Array {
  const projection = /\.(q|k)_proj\.weight$/.test(weight.name);
  const bits = projection ? pairNeighbours(weight.read(), shape.hidden, shape.headDim) : weight.read();
  if (type === 'bf16') return bytesOf(bits);
  const values = widenBfloat16(bits);
  return type === 'f32' ? bytesOf(values) : quantizeQ8(values);
}

/** Writes `model` as one GGUF file of the llama architecture, one tensor in memory at a time. */
export function writeGguf(model: LlamaWeights, type: WeightType, path: string): void {
  const fields = new Fields();
  const entries = metadata(model, type);
  fields.uint32(Buffer.from('GGUF', 'ascii').readUInt32LE(0));
  fields.uint32(version);
  fields.uint64(model.weights.length);
  fields.uint64(entries.length);
  for (const [key, value] of entries) {
    fields.string(key);
    fields.value(value);
  }
  let offset = 0;
  for (const weight of model.weights) {
    const stored = typeOf(weight, type);
    fields.string(ggufName(weight.name));
    fields.uint32(weight.shape.length);
    // Extents from the fastest-moving one on.
    for (const extent of [...weight.shape].reverse()) fields.uint64(extent);
    fields.uint32(tensorType[stored]);
    fields.uint64(offset);
    offset += aligned(elementCount(weight.shape) * bytesPerWeight[stored]);
  }
  const head = fields.bytes();

  const file = fs.openSync(path, 'w');
  try {
    writeAll(file, head);
    writeAll(file, Buffer.alloc(aligned(head.length) - head.length));
    for (const weight of model.weights) {
      const bytes = tensorBytes(weight, typeOf(weight, type), model.shape);
      writeAll(file, bytes);
      writeAll(file, Buffer.alloc(aligned(bytes.length) - bytes.length));
    }
  } finally {
    fs.closeSync(file);
  }
}
