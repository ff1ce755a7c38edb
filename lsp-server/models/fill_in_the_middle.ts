import type { Tokenizer } from './tokenizer';

/** The order of the parts: suffix-prefix-middle keeps the KV cache valid while the person types. */
export type FillOrder = 'prefix-suffix-middle' | 'suffix-prefix-middle';

/** Control tokens of fill-in-the-middle, found in the tokenizer. */
export interface FillTokens {
  prefix: number;
  suffix: number;
  middle: number;
  /** Put before a file's path. */
  file?: number;
}

/** How a family writes its control tokens, and the orders it was trained for, the preferred one first. */
interface FillFamily {
  prefix: string;
  suffix: string;
  middle: string;
  file?: string;
  orders: readonly FillOrder[];
}

const both: readonly FillOrder[] = ['suffix-prefix-middle', 'prefix-suffix-middle'];
const prefixFirst: readonly FillOrder[] = ['prefix-suffix-middle'];

/**
 * Laneformer, Qwen and Granite; StarCoder and its kin (trained for both orders: Bavarian et al. 2022, "Efficient
 * training of language models to fill in the middle", section 3); DeepSeek-Coder; CodeLlama; Codestral is left out: it
 * has no middle token.
 */
const families: readonly FillFamily[] = [
  {
    prefix: '<|fim_prefix|>',
    suffix: '<|fim_suffix|>',
    middle: '<|fim_middle|>',
    file: '<|file_sep|>',
    orders: prefixFirst,
  },
  { prefix: '<fim_prefix>', suffix: '<fim_suffix>', middle: '<fim_middle>', file: '<file_sep>', orders: both },
  { prefix: '<fim-prefix>', suffix: '<fim-suffix>', middle: '<fim-middle>', orders: both },
  { prefix: '<|fim▁begin|>', suffix: '<|fim▁hole|>', middle: '<|fim▁end|>', orders: prefixFirst },
  { prefix: '▁<PRE>', suffix: '▁<SUF>', middle: '▁<MID>', orders: prefixFirst },
];

/** How to ask one model to fill in the middle. */
export interface FillTemplate {
  tokens: FillTokens;
  order: FillOrder;
}

/**
 * Finds the template from the tokenizer's control tokens; undefined for a model that can only go on after a prefix.
 * `modelType` is config.json's model_type: Laneformers are trained for both orders.
 */
export function findFillTemplate(tokenizer: Tokenizer, modelType: string): FillTemplate | undefined {
  for (const family of families) {
    const [prefix, suffix, middle] = [family.prefix, family.suffix, family.middle].map((token) => tokenizer.id(token));
    if (prefix === undefined || suffix === undefined || middle === undefined) continue;
    const file = family.file === undefined ? undefined : tokenizer.id(family.file);
    const orders = modelType.startsWith('laneformer') ? both : family.orders;
    const tokens = { prefix, suffix, middle, ...(file === undefined ? {} : { file }) };
    return { tokens, order: orders[0] ?? 'prefix-suffix-middle' };
  }
  return undefined;
}

/** The token sequence that asks for what stands between prefix and suffix. `header` is encoded `PATH\n`, or empty. */
export function fillPrompt(
  template: FillTemplate,
  header: readonly number[],
  prefix: readonly number[],
  suffix: readonly number[],
): number[] {
  const { tokens, order } = template;
  const start = tokens.file === undefined || header.length === 0 ? [] : [tokens.file, ...header];
  return order === 'suffix-prefix-middle'
    ? [...start, tokens.prefix, tokens.suffix, ...suffix, tokens.middle, ...prefix]
    : [...start, tokens.prefix, ...prefix, tokens.suffix, ...suffix, tokens.middle];
}
