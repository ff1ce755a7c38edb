import { numbersOf, type Contender } from './contender';
import { randomTokens } from './courses';
import { type Peers } from './install';
import { Xorshift } from './models/random';
import { type ModelStore } from './models/store';
import { type LlamaWeights } from './models/weights';
import { contextLength, startLlama, startOurs, type Formats } from './pairing';

/** How well two engines agree on greedy tokens and their log-probabilities. */
interface Agreement {
  /** Steps that could be decided, right and wrong ones. */
  compared: number;
  /** The other token was chosen, but the reference's two best were closer than the tolerance. */
  undecided: number;
  wrong: number;
  largestDifference: number;
}

const prompts = 24;
const promptLength = 24;
const steps = 4;

/**
 * Compares greedy steps after random prompts. Where the reference's margin between its two best tokens is over
 * `tolerance`, the other engine must choose the same token, with a log-probability within `tolerance`.
 */
async function compareGreedy(
  reference: Contender,
  other: Contender,
  vocabulary: number,
  tolerance: number,
): Promise<Agreement> {
  const source = new Xorshift(3);
  const result: Agreement = { compared: 0, undecided: 0, wrong: 0, largestDifference: 0 };
  for (let i = 0; i < prompts; i++) {
    const request = `greedy ${steps} ${randomTokens(source, promptLength, vocabulary).join(' ')}`;
    const expected = await reference.ask(request);
    const actual = await other.ask(request);
    compareSteps(
      { tokens: numbersOf(expected, 'tokens'), logprobs: numbersOf(expected, 'logprobs') },
      { tokens: numbersOf(actual, 'tokens'), logprobs: numbersOf(actual, 'logprobs') },
      numbersOf(expected, 'margins'),
      tolerance,
      result,
    );
  }
  return result;
}

interface Steps {
  tokens: readonly number[];
  logprobs: readonly number[];
}

/** Adds one prompt's steps to `result`, as far as both have gone the same way. */
function compareSteps(
  expected: Steps,
  actual: Steps,
  margins: readonly number[],
  tolerance: number,
  result: Agreement,
): void {
  for (const [step, token] of expected.tokens.entries()) {
    if (actual.tokens[step] !== token) {
      if ((margins[step] ?? 0) <= tolerance) {
        result.undecided++;
      } else {
        result.compared++;
        result.wrong++;
      }
      return;
    }
    const difference = Math.abs((actual.logprobs[step] ?? Number.NaN) - (expected.logprobs[step] ?? 0));
    result.compared++;
    if (!(difference <= tolerance)) result.wrong++;
    result.largestDifference = Math.max(result.largestDifference, difference);
  }
}

/** Says how the engines do not run the same model; undefined when they do. */
function disagreement({ compared, undecided, wrong }: Agreement, wrongPart: number): string | undefined {
  if (wrong > wrongPart * compared) return `${wrong} of ${compared} greedy steps differ by more than rounding`;
  const all = prompts * steps;
  if (compared < all / 2) return `only ${compared} of ${all} greedy steps could be compared (${undecided} too close)`;
  return undefined;
}

/**
 * Largest difference of log-probabilities, and of margins, that each format's rounding explains, and the part of the
 * steps that may differ by more: bytes change some tokens of a model with outliers, other weights change most.
 */
const limits = {
  f32: { tolerance: 0.02, wrongPart: 0 },
  bf16: { tolerance: 0.1, wrongPart: 0 },
  q8_0: { tolerance: 0.3, wrongPart: 0.1 },
} as const;

/** A line of the agreement table. */
export interface AgreementRow extends Agreement {
  who: string;
  model: string;
  format: string;
  tolerance: number;
}

function checked(row: AgreementRow, wrongPart: number): AgreementRow {
  const problem = disagreement(row, wrongPart);
  if (problem === undefined) return row;
  throw new Error(
    `${row.who} with ${row.model} in ${row.format} does not run the same model as llama.cpp in f32: ${problem}.`,
  );
}

/**
 * Proves that all contenders run one model: ours and llama.cpp in each of some formats against llama.cpp in f32. One row
 * each; throws when one of them does not.
 */
export async function proveAgreement(
  model: LlamaWeights,
  checkedFormats: readonly Formats[],
  store: ModelStore,
  peers: Peers,
): Promise<AgreementRow[]> {
  const { shape } = model;
  const context = contextLength(shape);
  const [reference, ...rest] = await startLlama(peers, store.gguf(model, 'f32'), 1, context);
  await Promise.all(rest.map((contender) => contender[Symbol.asyncDispose]()));
  if (!reference) return [];
  await using expected = reference;

  const rows: AgreementRow[] = [];
  const compare = async (contender: Contender, pair: Formats, format: string): Promise<void> => {
    const { tolerance, wrongPart } = limits[pair.theirs];
    const agreement = await compareGreedy(expected, contender, shape.vocabulary, tolerance);
    rows.push(checked({ who: contender.title, model: shape.title, format, tolerance, ...agreement }, wrongPart));
  };
  for (const pair of checkedFormats) {
    await using ours = await startOurs(store.safetensors(model, pair.folder), 1, context, pair.precision);
    await compare(ours, pair, pair.precision === 'int8' ? 'int8' : pair.folder);
    if (pair.theirs === 'f32') continue;
    for (const contender of await startLlama(peers, store.gguf(model, pair.theirs), 1, context)) {
      await using theirs = contender;
      await compare(theirs, pair, pair.theirs);
    }
  }
  return rows;
}
