import { toBfloat16 } from './numbers';
import { type LlamaShape } from './shapes';
import { elementCount, llamaTensors, type LlamaWeights, type Weight } from './weights';

/** 32-bit generator (Marsaglia, "Xorshift RNGs", 2003): the same numbers from the same seed on every machine. */
export class Xorshift {
  private state: number;
  constructor(seed: number) {
    // Spreads small seeds over all bits (MurmurHash3's finaliser); zero is the one state that stays as it is.
    let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    this.state = (mixed ^ (mixed >>> 16)) >>> 0 || 1;
  }
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state;
  }
  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }
}

/** FNV-1a of a name: each tensor gets a seed of its own, so that tensors can be made in any order. */
function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const letter of name) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}

/** Quantile of the normal distribution (Acklam's rational approximation, relative error 1e-9), 0 < p < 1. */
function normalQuantile(p: number): number {
  const a = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239,
  ];
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1];
  const c = [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ];
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];
  const polynomial = (coefficients: number[], x: number) => coefficients.reduce((sum, next) => sum * x + next, 0);
  const tail = 0.02425;
  if (p > 1 - tail) return -normalQuantile(1 - p);
  if (p < tail) {
    const q = Math.sqrt(-2 * Math.log(p));
    return polynomial(c, q) / polynomial(d, q);
  }
  const q = p - 0.5;
  return (polynomial(a, q * q) * q) / polynomial(b, q * q);
}

/** Standard normal quantiles at the middles of 65,536 equal slices: two numbers from one 32-bit draw. */
const quantiles = Float64Array.from({ length: 65536 }, (_, i) => normalQuantile((i + 0.5) / 65536));

function normalBits(name: string, count: number, mean: number, deviation: number): Uint16Array {
  const table = Uint16Array.from(quantiles, (quantile) => toBfloat16(mean + deviation * quantile));
  const source = new Xorshift(seedOf(name));
  const bits = new Uint16Array(count);
  for (let i = 0; i < count; i += 2) {
    const draw = source.next();
    bits[i] = table[draw >>> 16] ?? 0;
    if (i + 1 < count) bits[i + 1] = table[draw & 0xffff] ?? 0;
  }
  return bits;
}

/** Scales that keep every layer's output near unit size, so that logits are spread as a trained model's are. */
function distribution(name: string, shape: readonly number[], tied: boolean): { mean: number; deviation: number } {
  if (shape.length === 1) return { mean: 1, deviation: 0.2 };
  if (name === 'model.embed_tokens.weight' && !tied) return { mean: 0, deviation: 1 };
  return { mean: 0, deviation: 0.9 / Math.sqrt(shape[1] ?? 1) };
}

/** The 256 letters that byte-level BPE writes bytes with (GPT-2): printable bytes as they are, the others from U+0100 on. */
function byteLetters(): string[] {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : 256 + others++));
}

/** A vocabulary that loads: bytes, two-letter merges, and fillers up to the size; the last filler ends a text. */
function vocabulary(size: number): { tokens: string[]; merges: string[]; endToken: number } {
  const alphabet = Array.from({ length: 26 }, (_, i) => String.fromCharCode(97 + i));
  const merges = alphabet.flatMap((first) => alphabet.map((second) => `${first} ${second}`));
  const tokens = [...byteLetters(), ...merges.map((merge) => merge.replace(' ', ''))];
  while (tokens.length < size) tokens.push(`<filler_${tokens.length}>`);
  return { tokens, merges, endToken: size - 1 };
}

/** A model of normally distributed weights, the same for each call with the same shape. */
export function randomLlama(shape: LlamaShape): LlamaWeights {
  const weights = llamaTensors(shape).map(({ name, shape: extents }): Weight => {
    const { mean, deviation } = distribution(name, extents, shape.tied);
    return {
      name,
      shape: extents,
      read: () => normalBits(`${shape.name}/${name}`, elementCount(extents), mean, deviation),
    };
  });
  return { shape, weights, ...vocabulary(shape.vocabulary) };
}
