/** A document at one moment, seen from the cursor. Immutable, so that what runs later cannot see a newer text. */
export interface CursorContext {
  uri: string;
  /** For the prompt: relative to the workspace, with forward slashes. */
  path: string;
  languageId: string;
  /** All text before and after the cursor, line ends as `\n`. */
  before: string;
  after: string;
  /** The cursor's line, before and after it, without the line end. */
  linePrefix: string;
  lineSuffix: string;
  /** How the document itself ends its lines. */
  lineEnd: '\n' | '\r\n';
}

/** Where a document is and what it is written in. */
export type DocumentIdentity = Pick<CursorContext, 'uri' | 'path' | 'languageId'>;

/** The context of a cursor between two texts. */
export function cursorContext(document: DocumentIdentity, textBefore: string, textAfter: string): CursorContext {
  const lineEnd = textBefore.includes('\r\n') || textAfter.includes('\r\n') ? '\r\n' : '\n';
  const before = lineEnd === '\n' ? textBefore : textBefore.replaceAll('\r\n', '\n');
  const after = lineEnd === '\n' ? textAfter : textAfter.replaceAll('\r\n', '\n');
  const end = after.indexOf('\n');
  return {
    uri: document.uri,
    path: document.path,
    languageId: document.languageId,
    before,
    after,
    linePrefix: before.slice(before.lastIndexOf('\n') + 1),
    lineSuffix: end < 0 ? after : after.slice(0, end),
    lineEnd,
  };
}

/** The last line before the cursor's own that is not blank; empty if there is none. Looks back a bounded way. */
export function previousLine(context: CursorContext): string {
  const end = context.before.length - context.linePrefix.length;
  const lines = context.before.slice(Math.max(0, end - 2000), end).split('\n');
  return lines.findLast((line) => line.trim() !== '') ?? '';
}

/** The first `count` lines after the cursor's own that are not blank, without trailing white space. */
export function followingLines(context: CursorContext, count: number): string[] {
  const lines = context.after.slice(context.lineSuffix.length, context.lineSuffix.length + 2000).split('\n');
  return lines
    .slice(1)
    .filter((line) => line.trim() !== '')
    .slice(0, count)
    .map((line) => line.trimEnd());
}

/** Width of a line's indentation, a tab counting as one step of four. */
export function indentation(line: string): number {
  let width = 0;
  for (const character of line) {
    if (character === '\t') width += 4 - (width % 4);
    else if (character === ' ') width += 1;
    else break;
  }
  return width;
}
