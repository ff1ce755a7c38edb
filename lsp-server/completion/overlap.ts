import { followingLines, type CursorContext } from './cursor_context';

const openers = '([{';
const closers = ')]}';
const quotes = '"\'`';

/**
 * How many characters right of the cursor the completion replaces: auto-closed brackets and quotes, and punctuation
 * after them, that the completion writes itself. `text` may have several lines; the characters are of the cursor's line.
 */
export function swallowedSuffix(text: string, context: Pick<CursorContext, 'linePrefix' | 'lineSuffix'>): number {
  const rest = context.lineSuffix.trimEnd();
  let swallowed = 0;
  let end = -1;
  for (const index of closedFromOutside(context.linePrefix, text)) {
    const next = swallowed + blanks(rest, swallowed);
    if (rest[next] !== text[index]) break;
    swallowed = next + 1;
    end = index + 1;
  }
  if (swallowed === 0) return /^[;,:]$/.test(rest) && text.endsWith(rest) ? rest.length : 0;
  while (swallowed < rest.length && rest[swallowed] === text[end]) {
    swallowed += 1;
    end += 1;
  }
  return swallowed;
}

const blanks = (text: string, from: number): number => text.slice(from).search(/\S|$/);

/** Where `text` has closing brackets and quotes whose opening ones stand before it. */
function closedFromOutside(linePrefix: string, text: string): number[] {
  const open: string[] = [];
  for (const character of linePrefix) step(open, character);
  let outside = open.length;
  const found: number[] = [];
  for (let index = 0; index < text.length; index += 1) {
    const change = step(open, text.charAt(index));
    if (change === 'closedNothing') found.push(index);
    if (change !== 'closed' || open.length >= outside) continue;
    outside = open.length;
    found.push(index);
  }
  return found;
}

/** Follows brackets and quotes over one character. Brackets in quotes are text, except behind `${` in a template. */
function step(open: string[], character: string): 'opened' | 'closed' | 'closedNothing' | 'nothing' {
  const top = open.at(-1) ?? '';
  const inQuotes = top !== '' && quotes.includes(top);
  if (quotes.includes(character)) {
    if (inQuotes && top !== character) return 'nothing';
    if (inQuotes) open.pop();
    else open.push(character);
    return inQuotes ? 'closed' : 'opened';
  }
  if (openers.includes(character) && (!inQuotes || (top === '`' && character === '{'))) {
    open.push(character);
    return 'opened';
  }
  const kind = closers.indexOf(character);
  if (kind < 0 || inQuotes) return 'nothing';
  if (top !== openers.charAt(kind)) return 'closedNothing';
  open.pop();
  return 'closed';
}

/** The completion without a tail of whole lines that the document already has below the cursor. */
export function withoutFollowingLines(text: string, context: CursorContext): string {
  const lines = text.split('\n');
  const below = followingLines(context, lines.length);
  for (let tail = Math.min(lines.length - 1, below.length); tail > 0; tail -= 1) {
    const written = lines.slice(-tail).map((line) => line.trimEnd());
    if (written.every((line, index) => line === below[index])) return lines.slice(0, -tail).join('\n').trimEnd();
  }
  const whole = (context.linePrefix + text).trimEnd();
  return lines.length === 1 && whole === below[0] && /[\p{L}\p{N}]{3}/u.test(whole) ? '' : text;
}
