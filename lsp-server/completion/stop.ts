import { blockScope, scopeEnd } from './block_scope';
import { followingLines, type CursorContext } from './cursor_context';
import type { Extent } from './policy';
import { repeatedLinesStart, repeatedTail } from './repetition';

/** What has been generated so far. */
export interface Generated {
  text: string;
  tokens: readonly number[];
  /** No more comes. */
  finished: boolean;
}

/** Says how much of the text to keep once the rest is not wanted; undefined to let the model go on. */
export type StopRule = (generated: Generated) => number | undefined;

/** When a completion at this cursor is complete. */
export function stopRule(context: CursorContext, extent: Extent): StopRule {
  const ends = [extent === 'line' ? lineEnd : blockEnd(context), duplicateStart(context), repetitionStart];
  return (generated) => {
    const found = ends.map((end) => end(generated)).filter((length) => length !== undefined);
    return found.length === 0 ? undefined : Math.min(...found);
  };
}

const lineEnd: StopRule = ({ text }) => {
  const end = text.indexOf('\n');
  return end < 0 ? undefined : end;
};

function blockEnd(context: CursorContext): StopRule {
  const scope = blockScope(context);
  return ({ text, finished }) => scopeEnd(text, scope, finished);
}

/** Stops where the model starts to write what already follows: a whole line that is the next line of the document. */
function duplicateStart(context: CursorContext): StopRule {
  const [next] = followingLines(context, 1);
  if (next === undefined || !/[\p{L}\p{N}]{3}/u.test(next)) return () => undefined;
  return ({ text }) => {
    const written = context.linePrefix + text;
    const at = `\n${written}\n`.indexOf(`\n${next}\n`);
    if (at < 0) return undefined;
    return Math.max(0, at - 1 - context.linePrefix.length);
  };
}

const repetitionStart: StopRule = ({ text, tokens }) => {
  const lines = repeatedLinesStart(text);
  if (lines !== undefined) return lines;
  const repeated = repeatedTail(tokens);
  if (repeated === 0) return undefined;
  const kept = Math.floor(text.length * (1 - repeated / tokens.length));
  return Math.max(0, text.lastIndexOf('\n', kept));
};
