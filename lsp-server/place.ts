import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { cursorContext, type CursorContext } from './completion/cursor_context';

/** A place in a file that does not exist. */
export class PlaceError extends Error {
  override readonly name = 'PlaceError';
}

/** Language ids of file name endings, as editors know them; others are plain text. */
const languages: Readonly<Record<string, string>> = {
  '.ts': 'typescript',
  '.mts': 'typescript',
  '.cts': 'typescript',
  '.tsx': 'typescriptreact',
  '.js': 'javascript',
  '.mjs': 'javascript',
  '.cjs': 'javascript',
  '.jsx': 'javascriptreact',
  '.py': 'python',
};

/** The cursor at `FILE:LINE[:COLUMN]`, counted from 1; without a column at the line's end. Throws PlaceError. */
export async function parsePlace(place: string): Promise<CursorContext> {
  const match = /^(.+?):(\d+)(?::(\d+))?$/.exec(place);
  if (!match) throw new PlaceError(`"${place}" is not a place. Write FILE:LINE:COLUMN, such as src/main.ts:12:5.`);
  const [, file = '', line = '', column] = match;
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new PlaceError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  const offset = offsetAt(file, text, Number(line), column === undefined ? undefined : Number(column));
  const document = {
    uri: pathToFileURL(path.resolve(file)).href,
    path: path.relative(process.cwd(), path.resolve(file)).replaceAll('\\', '/'),
    languageId: languages[path.extname(file)] ?? 'plaintext',
  };
  return cursorContext(document, text.slice(0, offset), text.slice(offset));
}

function offsetAt(file: string, text: string, line: number, column: number | undefined): number {
  const lines = text.split('\n');
  const wanted = lines[line - 1]?.replace(/\r$/, '');
  if (wanted === undefined) throw new PlaceError(`${file} has ${lines.length} lines, so there is no line ${line}.`);
  const character = (column ?? wanted.length + 1) - 1;
  if (character < 0 || character > wanted.length) {
    throw new PlaceError(
      `Line ${line} of ${file} has columns 1 to ${wanted.length + 1}, so there is no ${column ?? 0}.`,
    );
  }
  return lines.slice(0, line - 1).reduce((sum, before) => sum + before.length + 1, 0) + character;
}
