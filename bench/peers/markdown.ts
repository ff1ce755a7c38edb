import * as fs from 'node:fs';
import { type Cell } from './rows';
import { type Figure } from './statistics';

/** A Markdown table; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

/** Three significant digits, no exponent. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '?';
  const rounded = Number(value.toPrecision(3));
  return rounded >= 1000 ? rounded.toLocaleString('en-US') : String(rounded);
}

/** "830 ±3%", with a tilde before what other programs disturbed. */
export function figureText({ median, spread, disturbed }: Figure): string {
  const range = spread > 0 ? ` ±${Math.max(1, Math.round(spread * 100))}%` : '';
  return `${disturbed ? '~' : ''}${digits(median)}${range}`;
}

export const cellText = (cell: Cell | undefined): string => (cell ? figureText(cell.figure) : '-');
export const ratioText = (value: number | undefined): string => (value === undefined ? '-' : `**${value.toFixed(2)}**`);
export const percent = (part: number | undefined): string => (part === undefined ? '-' : `${Math.round(part * 100)} %`);

/** Puts `text` between the file's marker lines for `section`; makes the file when it is not there. */
export function writeSection(file: string, section: string, text: string): void {
  const [begin, end] = [`<!-- ${section}:begin -->`, `<!-- ${section}:end -->`];
  const old = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '# Performance\n';
  const block = `${begin}\n\n${text}\n\n${end}`; // the blank lines are prettier's
  const from = old.indexOf(begin);
  const to = old.indexOf(end);
  if (from >= 0 && to > from) {
    fs.writeFileSync(file, old.slice(0, from) + block + old.slice(to + end.length));
  } else if (from < 0 && to < 0) {
    fs.writeFileSync(file, `${old.trimEnd()}\n\n${block}\n`);
  } else {
    throw new Error(`${file} has only one of the markers ${begin} and ${end}: put the other one back.`);
  }
}
