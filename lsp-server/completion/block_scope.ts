import { followingLines, indentation, previousLine, type CursorContext } from './cursor_context';
import { startsBlock } from './policy';

/** Where what starts at the cursor ends, told by indentation. */
export interface BlockScope {
  /** Lines indented less than this are outside. */
  limit: number;
  /** A closing bracket at this indentation ends the block; undefined among statements. */
  closer?: number;
  /** Whether that closing bracket is still to be written. */
  wantsCloser: boolean;
}

const startsWithCloser = /^\s*([)\]}]|<\/|end\b)/;
const endsWithOpener = /[{([:]\s*$/;

/**
 * The scope of what may be written at the cursor: the rest of a statement with what it opens, the body of a block, or,
 * on a blank line elsewhere, the statements up to the next blank line.
 */
export function blockScope(context: CursorContext): BlockScope {
  const blank = context.linePrefix.trim() === '';
  if (blank && !startsBlock(context)) return { limit: indentation(context.linePrefix), wantsCloser: false };
  const closer = indentation(blank ? previousLine(context) : context.linePrefix);
  return { limit: closer + 1, closer, wantsCloser: closerIsMissing(context, closer) };
}

function closerIsMissing(context: CursorContext, closer: number): boolean {
  if (startsWithCloser.test(context.lineSuffix)) return true;
  const [next] = followingLines(context, 1);
  if (next === undefined) return true;
  return indentation(next) < closer || (indentation(next) === closer && !startsWithCloser.test(next));
}

/**
 * The length of the text that belongs to the scope, once it is certain; undefined while more may belong to it.
 * `finished` says that no more text comes.
 */
export function scopeEnd(text: string, scope: BlockScope, finished: boolean): number | undefined {
  let end = text.indexOf('\n');
  let blankLines = 0;
  while (end >= 0) {
    const start = end + 1;
    const lineEnd = text.indexOf('\n', start);
    const line = text.slice(start, lineEnd < 0 ? undefined : lineEnd);
    const complete = lineEnd >= 0 || finished;
    if (line.trim() === '') {
      if (complete) blankLines += 1;
      if (blankLines >= 2) return beforeBlankLines(text, end);
    } else {
      const place = placeOf(line, scope, blankLines);
      if (place === 'outside') return beforeBlankLines(text, end);
      if (place === 'closer') {
        if (!complete) return undefined;
        if (!endsWithOpener.test(line)) return start + line.length;
      }
      blankLines = 0;
    }
    end = lineEnd;
  }
  return undefined;
}

function placeOf(line: string, scope: BlockScope, blankLines: number): 'inside' | 'closer' | 'outside' {
  const width = indentation(line);
  if (width === scope.closer && scope.wantsCloser && startsWithCloser.test(line)) return 'closer';
  if (width < scope.limit) return 'outside';
  return scope.closer === undefined && blankLines > 0 && width === scope.limit ? 'outside' : 'inside';
}

const beforeBlankLines = (text: string, end: number): number => text.slice(0, end).trimEnd().length;
