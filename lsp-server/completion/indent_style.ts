import type { CursorContext } from './cursor_context';

/** The text with its lines indented the way the document is: tabs for spaces, or spaces for tabs. */
export function inDocumentStyle(text: string, context: CursorContext): string {
  if (!text.includes('\n')) return text;
  const style = documentStyle(context);
  if (style === undefined) return text;
  const [first = '', ...others] = text.split('\n');
  return [first, ...others.map((line) => reindent(line, style))].join('\n');
}

interface Style {
  tabs: boolean;
  /** Columns of one step. */
  width: number;
}

/** How the lines around the cursor are indented; undefined if none is. */
function documentStyle(context: CursorContext): Style | undefined {
  const around = context.before.slice(-4000) + context.after.slice(0, 1000);
  const tabs = around.match(/^\t+/gm)?.length ?? 0;
  const spaces = around.match(/^ +(?=\S)/gm) ?? [];
  if (tabs === 0 && spaces.length === 0) return undefined;
  const widths = spaces.map((line) => line.length).filter((width) => width >= 2 && width % 2 === 0);
  return { tabs: tabs > spaces.length, width: widths.length > 0 ? Math.min(...widths, 8) : 4 };
}

function reindent(line: string, style: Style): string {
  const blank = /^[ \t]*/.exec(line)?.[0] ?? '';
  const rest = line.slice(blank.length);
  if (!style.tabs) return blank.replaceAll('\t', ' '.repeat(style.width)) + rest;
  const wide = blank.replaceAll('\t', '    ');
  return '\t'.repeat(Math.floor(wide.length / 4)) + ' '.repeat(wide.length % 4) + rest;
}
