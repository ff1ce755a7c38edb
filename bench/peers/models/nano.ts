import * as fs from 'node:fs';
import * as path from 'node:path';
import { pairHalves } from './rope_rows';
import { type LlamaShape } from './shapes';
import { elementCount, llamaTensors, type LlamaWeights, type Weight } from './weights';

interface LaneformerConfig {
  vocab_size: number;
  hidden_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
  intermediate_size: number;
  num_lanes: number;
  max_position_embeddings: number;
  rope_theta: number;
  norm_eps: number;
  tie_word_embeddings: boolean;
  eos_token_id: number;
}

const readJson = (folder: string, name: string): unknown =>
  JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8'));

/** Tensors of a safetensors folder, sharded or not, as raw bytes. */
class SafetensorsFolder {
  private readonly places = new Map<string, { file: string; start: number; end: number }>();

  constructor(folder: string) {
    for (const name of fs.readdirSync(folder).filter((entry) => entry.endsWith('.safetensors'))) {
      this.index(path.join(folder, name));
    }
  }

  private index(file: string): void {
    const prefix = readRange(file, 0, 8);
    const length = Number(prefix.readBigUInt64LE(0));
    const header = JSON.parse(readRange(file, 8, 8 + length).toString('utf8')) as Record<
      string,
      { dtype?: string; data_offsets?: [number, number] }
    >;
    for (const [name, { dtype, data_offsets: offsets }] of Object.entries(header)) {
      if (!offsets) continue;
      if (dtype !== 'BF16') throw new Error(`${file}: tensor ${name} is ${dtype ?? 'of no type'}, expected BF16`);
      this.places.set(name, { file, start: 8 + length + offsets[0], end: 8 + length + offsets[1] });
    }
  }

  /** bfloat16 bits of one tensor. */
  read(name: string): Uint16Array {
    const place = this.places.get(name);
    if (!place) throw new Error(`No tensor ${name} in the model`);
    const bytes = readRange(place.file, place.start, place.end);
    return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  }
}

function readRange(file: string, start: number, end: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(end - start));
  const handle = fs.openSync(file, 'r');
  try {
    for (let done = 0; done < bytes.length;) {
      const count = fs.readSync(handle, bytes, done, bytes.length - done, start + done);
      if (count === 0) throw new Error(`${file} ends before byte ${end}`);
      done += count;
    }
  } finally {
    fs.closeSync(handle);
  }
  return bytes;
}

/** [lanes, rows, columns] -> [rows, lanes * columns]: the lanes' slices of an output projection side by side. */
function joinColumns(bits: Uint16Array, lanes: number, rows: number): Uint16Array {
  const columns = bits.length / lanes / rows;
  const out = new Uint16Array(bits.length);
  for (let lane = 0; lane < lanes; lane++) {
    for (let row = 0; row < rows; row++) {
      const from = (lane * rows + row) * columns;
      out.set(bits.subarray(from, from + columns), (row * lanes + lane) * columns);
    }
  }
  return out;
}

const layerNames: Record<string, string> = {
  'input_layernorm.weight': 'attention_norm.weight',
  'self_attn.q_proj.weight': 'attention.wq.weight',
  'self_attn.k_proj.weight': 'attention.wk.weight',
  'self_attn.v_proj.weight': 'attention.wv.weight',
  'self_attn.o_proj.weight': 'attention.wo.weight',
  'post_attention_layernorm.weight': 'ffn_norm.weight',
  'mlp.gate_proj.weight': 'feed_forward.w1.weight',
  'mlp.up_proj.weight': 'feed_forward.w3.weight',
  'mlp.down_proj.weight': 'feed_forward.w2.weight',
};

function laneformerName(name: string): string {
  if (name === 'model.embed_tokens.weight') return 'model.tok_embeddings.weight';
  const layer = /^(model\.layers\.\d+\.)(.+)$/.exec(name);
  return layer ? `${layer[1]}${layerNames[layer[2] ?? '']}` : name;
}

/**
 * The default model's trained weights in the shape of a Llama: its lanes joined into one, so that every matrix has real
 * weights in it. Without lanes, delay and window it is another function and no language model: for speed, and for how
 * trained weights quantise.
 */
export function nanoAsLlama(folder: string): LlamaWeights {
  const config = readJson(folder, 'config.json') as LaneformerConfig;
  const tokenizer = readJson(folder, 'tokenizer.json') as {
    model: { vocab: Record<string, number>; merges: (string | [string, string])[] };
  };
  const shape: LlamaShape = {
    name: 'N',
    title: 'nano as a Llama, 42 M',
    hidden: config.hidden_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    kvHeads: config.num_key_value_heads,
    headDim: config.hidden_size / config.num_attention_heads,
    ffn: config.intermediate_size,
    vocabulary: config.vocab_size,
    tied: config.tie_word_embeddings,
    contextLength: config.max_position_embeddings,
    ropeTheta: config.rope_theta,
    normEpsilon: config.norm_eps,
  };
  const files = new SafetensorsFolder(folder);
  const weights = llamaTensors(shape).map(({ name, shape: extents }): Weight => {
    const read = () => {
      const bits = files.read(laneformerName(name));
      if (bits.length !== elementCount(extents))
        throw new Error(`Tensor ${laneformerName(name)} has ${bits.length} numbers`);
      if (/\.(q|k)_proj\./.test(name)) return pairHalves(bits, shape.hidden, shape.headDim);
      return /\.(o|down)_proj\./.test(name) ? joinColumns(bits, config.num_lanes, shape.hidden) : bits;
    };
    return { name, shape: extents, read };
  });
  const tokens = Object.entries(tokenizer.model.vocab)
    .sort(([, first], [, second]) => first - second)
    .map(([token]) => token);
  const merges = tokenizer.model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')));
  return { shape, weights, tokens, merges, endToken: config.eos_token_id };
}
