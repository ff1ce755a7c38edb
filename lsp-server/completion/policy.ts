import type { Settings } from '../protocol';
import { previousLine, type CursorContext } from './cursor_context';

/** How far a completion goes. */
export type Extent = 'line' | 'block';

export type Trigger = 'automatic' | 'invoked';

/** What may stand right of the cursor when nobody asked: closing punctuation, as editors insert it. */
const closingPunctuation = /^\s*[)>}\]"'`]*\s*[:{;,]?\s*$/;

/** Languages whose blocks start with a colon. */
const colonBlocks = new Set(['python', 'gdscript', 'nim', 'yaml']);

/** Whether to complete here at all, and how far. Undefined: stay silent. */
export function completionExtent(
  context: CursorContext,
  settings: Pick<Settings, 'enable' | 'languages' | 'completion'>,
  trigger: Trigger,
): Extent | undefined {
  if (!settings.enable || !languageEnabled(context.languageId, settings.languages)) return undefined;
  if (!closingPunctuation.test(context.lineSuffix)) return trigger === 'invoked' ? 'line' : undefined;
  if (trigger === 'automatic' && statementIsComplete(context.linePrefix)) return undefined;
  switch (settings.completion.mode) {
    case 'line':
      return 'line';
    case 'block':
      return 'block';
    case 'auto':
      return trigger === 'invoked' || startsBlock(context) ? 'block' : 'line';
  }
}

/** `*` stands for the languages that have no entry of their own. */
export function languageEnabled(languageId: string, languages: Settings['languages']): boolean {
  return languages[languageId] ?? languages['*'] ?? true;
}

/** Whether the cursor is where the body of a block goes. */
export function startsBlock(context: CursorContext): boolean {
  const blank = context.linePrefix.trim() === '';
  const line = (blank ? previousLine(context) : context.linePrefix).trimEnd();
  if (colonBlocks.has(context.languageId) && line.endsWith(':')) return true;
  if (line.endsWith('${') || /^\s*(import|export)\s+(type\s+)?\{$/.test(line)) return false;
  return line.endsWith('{') || /^\s*(case\b.*|default\s*):$/.test(line) || (blank && /[([]$|=>$/.test(line));
}

/** A line that ends in a semicolon wants a new line, not more; the semicolons of a `for` head do not count. */
function statementIsComplete(linePrefix: string): boolean {
  const line = linePrefix.trimEnd();
  return line.endsWith(';') && count(line, '(') <= count(line, ')');
}

const count = (text: string, character: string): number => text.split(character).length - 1;
