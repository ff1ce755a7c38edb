import { numbersOf, type Contender } from '../peers/contender';
import { type ModelText } from '../../lsp-server/models/language_model';
import { type Source } from './sources';

/** Tokens of one file that the loss is taken of: `from` is the first that counts. */
export interface Window {
  from: number;
  tokens: readonly number[];
}

/** Header and text of a file as in training, cut at `length` tokens. The header itself does not count. */
export function windowOf({ tokenizer, fill }: ModelText, source: Source, length: number): Window {
  const file = fill?.tokens.file;
  const header = file === undefined ? [] : [file, ...tokenizer.encode(`${source.path}\n`)];
  const start = header.length > 0 ? header : [...tokenizer.startTokens];
  const tokens = [...start, ...tokenizer.encode(source.text)].slice(0, length);
  return { from: Math.max(1, start.length), tokens };
}

/** Negative log-probability of each token that counts, in nats, window by window. */
export async function losses(scorer: Contender, windows: readonly Window[]): Promise<number[][]> {
  const all: number[][] = [];
  for (const { from, tokens } of windows) {
    const answer = await scorer.ask([from, ...tokens].join(' '));
    all.push(numbersOf(answer, 'logprobs').map((logprob) => -logprob));
  }
  return all;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
