/** Conversions between the number formats of the model files. */

const floatView = new Float32Array(1);
const bitView = new Uint32Array(floatView.buffer);

function floatBits(value: number): number {
  floatView[0] = value;
  return bitView[0] ?? 0;
}

/** Bits of the bfloat16 nearest to a finite `value`, ties to even. */
export function toBfloat16(value: number): number {
  const bits = floatBits(value);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Bits of the IEEE half nearest to a finite `value`, ties to even; too large becomes infinity. */
export function toFloat16(value: number): number {
  const bits = floatBits(value);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(Math.fround(value));
  if (magnitude >= 65520) return sign | 0x7c00;
  // Below the normal range, halves are multiples of 2^-24; the step of a normal one is 2^(exponent - 10).
  const exponent = Math.max((bits >>> 23) & 0xff, 113) - 127;
  const scaled = magnitude * 2 ** (10 - exponent);
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const rounded = floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0);
  // The hidden bit, if there, adds one to the exponent field; a carry out of the fraction does it again.
  return sign | (((exponent + 14) << 10) + rounded);
}

/** The numbers that bfloat16 bits stand for. */
export function widenBfloat16(bits: Uint16Array): Float32Array {
  const wide = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = (bits[i] ?? 0) << 16;
  return new Float32Array(wide.buffer);
}

export const q8GroupSize = 32;
export const q8GroupBytes = 2 + q8GroupSize;

/**
 * Quantises as ggml's q8_0: each 32 values become a half-precision scale d = max|x| / 127 and 32 signed bytes
 * round(x / d), halves away from zero; all arithmetic in single precision (ggml-quants.c, quantize_row_q8_0_ref).
 */
export function quantizeQ8(values: Float32Array): Uint8Array {
  if (values.length % q8GroupSize !== 0)
    throw new RangeError(`q8_0 needs a multiple of 32 values, not ${values.length}`);
  const groups = values.length / q8GroupSize;
  const out = new Uint8Array(groups * q8GroupBytes);
  for (let group = 0; group < groups; group++) {
    const from = group * q8GroupSize;
    let largest = 0;
    for (let i = 0; i < q8GroupSize; i++) largest = Math.max(largest, Math.abs(values[from + i] ?? 0));
    const scale = Math.fround(largest / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    const half = toFloat16(scale);
    const to = group * q8GroupBytes;
    out[to] = half & 0xff;
    out[to + 1] = half >>> 8;
    for (let i = 0; i < q8GroupSize; i++) {
      const scaled = Math.fround((values[from + i] ?? 0) * inverse);
      out[to + 2 + i] = Math.trunc(scaled + (scaled < 0 ? -0.5 : 0.5));
    }
  }
  return out;
}
