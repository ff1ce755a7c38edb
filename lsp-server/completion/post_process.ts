import type { CursorContext } from './cursor_context';
import { inDocumentStyle } from './indent_style';
import { swallowedSuffix, withoutFollowingLines } from './overlap';

/** What to insert at the cursor. */
export interface Completion {
  text: string;
  /** Characters right of the cursor, on its line, that the text replaces. */
  swallowed: number;
}

/**
 * Makes generated text fit the document. `whole` is false when the model was stopped by the token limit, in the middle
 * of something. Undefined when nothing worth showing is left.
 */
export function fitToDocument(generated: string, context: CursorContext, whole: boolean): Completion | undefined {
  const steps = [
    (text: string) => text.replaceAll('\r\n', '\n'),
    (text: string) => (whole ? text : withoutBrokenLine(text)),
    (text: string) => withoutDoubledSpace(text, context),
    (text: string) => withoutFollowingLines(text, context),
    (text: string) => inDocumentStyle(text, context),
    (text: string) => text.trimEnd(),
  ];
  const text = steps.reduce((current, step) => step(current), generated);
  if (text.trim() === '') return undefined;
  const swallowed = swallowedSuffix(text, context);
  const changesNothing = text === context.lineSuffix.slice(0, text.length) && text.length <= swallowed;
  return changesNothing ? undefined : { text: text.replaceAll('\n', context.lineEnd), swallowed };
}

/** Several lines that the limit cut in the last one: without that one. */
function withoutBrokenLine(text: string): string {
  const end = text.lastIndexOf('\n');
  return end > 0 && text.slice(0, end).trim() !== '' ? text.slice(0, end) : text;
}

function withoutDoubledSpace(text: string, context: CursorContext): string {
  return /\S[ \t]$/.test(context.linePrefix) ? text.replace(/^ +/, '') : text;
}
