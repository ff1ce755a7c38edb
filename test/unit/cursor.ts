import { cursorContext, type CursorContext } from '../../lsp-server/completion/cursor_context';

/** The context of the cursor that `|` marks in a text. */
export function at(marked: string, languageId = 'typescript'): CursorContext {
  const cursor = marked.indexOf('|');
  if (cursor < 0) throw new Error(`No cursor in ${JSON.stringify(marked)}`);
  const document = { uri: 'file:///work/a.ts', path: 'src/a.ts', languageId };
  return cursorContext(document, marked.slice(0, cursor), marked.slice(cursor + 1));
}
