import * as fs from 'node:fs';
import * as path from 'node:path';
import { widenBfloat16 } from './numbers';
import { elementCount, type LlamaWeights } from './weights';

/** Bytes of a typed array, not copied. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Writes all of `bytes`: one call may write less than it is given. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += fs.writeSync(file, bytes, done, bytes.length - done);
}

function config({ shape, endToken }: LlamaWeights, type: 'f32' | 'bf16'): object {
  return {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    vocab_size: shape.vocabulary,
    hidden_size: shape.hidden,
    intermediate_size: shape.ffn,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headDim,
    max_position_embeddings: shape.contextLength,
    rms_norm_eps: shape.normEpsilon,
    rope_theta: shape.ropeTheta,
    hidden_act: 'silu',
    attention_bias: false,
    eos_token_id: endToken,
    tie_word_embeddings: shape.tied,
    torch_dtype: type === 'f32' ? 'float32' : 'bfloat16',
  };
}

/** Writes config.json and model.safetensors into `folder`, one tensor in memory at a time. */
export function writeSafetensors(model: LlamaWeights, type: 'f32' | 'bf16', folder: string): void {
  const width = type === 'f32' ? 4 : 2;
  const header: Record<string, object> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, shape } of model.weights) {
    const end = offset + elementCount(shape) * width;
    header[name] = { dtype: type === 'f32' ? 'F32' : 'BF16', shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = JSON.stringify(header);
  const head = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8), 'utf8');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(head.length));

  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config(model, type), null, 1));
  const file = fs.openSync(path.join(folder, 'model.safetensors'), 'w');
  try {
    writeAll(file, length);
    writeAll(file, head);
    for (const weight of model.weights) {
      const bits = weight.read();
      writeAll(file, bytesOf(type === 'f32' ? widenBfloat16(bits) : bits));
    }
  } finally {
    fs.closeSync(file);
  }
}
