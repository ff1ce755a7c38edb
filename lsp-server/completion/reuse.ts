import type { CursorContext } from './cursor_context';

/** A completion with the place that it was asked for. */
export interface Candidate {
  readonly context: CursorContext;
  readonly text: string;
  readonly finished: boolean;
}

/** Brackets and quotes that editors insert or skip by themselves while one types. */
const autoClosed = /^[)\]}"'`>]{0,4}$/;

/**
 * What is left of a candidate at a later cursor, after the person typed the start of it; empty while the engine has not
 * come that far. Undefined when what was typed differs, or is all there was.
 */
export function remainder(candidate: Candidate, now: CursorContext): string | undefined {
  const then = candidate.context;
  if (now.uri !== then.uri || !now.before.startsWith(then.before) || !sameAfter(now.after, then.after))
    return undefined;
  return rest(candidate, now.before.slice(then.before.length));
}

/** Whether a candidate may still fit a document whose cursor is not known: between the same texts as before. */
export function mayStillFit(candidate: Candidate, document: string): boolean {
  const { before, after } = candidate.context;
  if (document.length < before.length + after.length) return false;
  if (!document.startsWith(before) || !document.endsWith(after)) return false;
  const typed = document.slice(before.length, document.length - after.length);
  for (let inserted = 0; inserted <= Math.min(4, typed.length); inserted += 1) {
    const closed = typed.slice(typed.length - inserted);
    if (!autoClosed.test(closed)) return false;
    if (rest(candidate, typed.slice(0, typed.length - inserted)) !== undefined) return true;
  }
  return false;
}

function rest(candidate: Candidate, typed: string): string | undefined {
  const { text, finished } = candidate;
  if (text.startsWith(typed)) return finished && typed !== '' && text === typed ? undefined : text.slice(typed.length);
  return !finished && typed.startsWith(text) ? '' : undefined;
}

function sameAfter(one: string, other: string): boolean {
  const [longer, shorter] = one.length >= other.length ? [one, other] : [other, one];
  const extra = longer.length - shorter.length;
  return extra <= 4 && longer.endsWith(shorter) && autoClosed.test(longer.slice(0, extra));
}
