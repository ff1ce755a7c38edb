import type { ModelText } from '../models/language_model';
import { fillPrompt } from '../models/fill_in_the_middle';
import type { Tokenizer } from '../models/tokenizer';
import type { CursorContext } from './cursor_context';

/** Code has at least this many characters a token nearly everywhere; more are never worth looking at. */
const charactersPerToken = 4;

/** How many tokens a completion's prompt may have: `longest`, or what the context leaves. */
export function promptBudget(contextLength: number, maxTokens: number, longest = Infinity): number {
  return Math.max(16, Math.min(longest, contextLength - maxTokens));
}

/**
 * The prompt for a cursor, at most `budget` tokens. While a person types, only its end changes (in suffix-prefix-middle
 * order): the suffix and the start of the prefix stay where they are until the window must move on by a whole block.
 */
export function buildPrompt(model: ModelText, context: CursorContext, budget: number): number[] {
  const { tokenizer, fill } = model;
  if (!fill) {
    const room = budget - tokenizer.startTokens.length;
    return [...tokenizer.startTokens, ...prefixWindow(tokenizer, context.before, room)];
  }
  const header = fill.tokens.file === undefined ? [] : tokenizer.encode(`${context.path}\n`).slice(0, budget >> 3);
  const room = budget - tokenizer.startTokens.length - header.length - 4;
  const suffix = suffixWindow(tokenizer, context.after, room >> 2);
  const prefix = prefixWindow(tokenizer, context.before, room - roundUp(suffix.length, room >> 4, room >> 2));
  return [...tokenizer.startTokens, ...fillPrompt(fill, header, prefix, suffix)];
}

/**
 * The tokens of the text before the cursor, from a line start that moves in steps: it is the first line after a
 * multiple of a block's length, counted from the file's start, from which the rest fits. Typing at the cursor leaves it
 * alone; once in a block it jumps, and leaves room for another block.
 */
function prefixWindow(tokenizer: Tokenizer, before: string, budget: number): number[] {
  const block = Math.max(1, budget);
  let step = Math.max(0, Math.ceil((before.length - budget * charactersPerToken) / block));
  for (;;) {
    const start = lineStart(before, step * block);
    const tokens = tokenizer.encode(before.slice(start));
    if (tokens.length <= budget) return tokens;
    if ((step + 1) * block >= before.length) return tokens.slice(-budget);
    step += 1;
  }
}

/** The first tokens of the text after the cursor. */
function suffixWindow(tokenizer: Tokenizer, after: string, budget: number): number[] {
  return tokenizer.encode(after.slice(0, budget * charactersPerToken)).slice(0, budget);
}

/** The first line start at or after an offset; the offset itself inside one very long line. */
function lineStart(text: string, offset: number): number {
  if (offset === 0) return 0;
  const newline = text.indexOf('\n', offset - 1);
  if (newline >= 0 && newline < text.length - 1) return newline + 1;
  const splitsPair = /[\uDC00-\uDFFF]/.test(text.charAt(offset));
  return splitsPair ? offset + 1 : offset;
}

/** Coarse, so that a bracket that the editor inserts does not move the prefix window. */
const roundUp = (value: number, step: number, limit: number): number =>
  Math.min(limit, Math.ceil(value / Math.max(1, step)) * step);
