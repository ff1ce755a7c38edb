/** What to explain: the selection, else the symbol around the cursor, else the block of lines around it. */
import * as vscode from 'vscode';

export interface Target {
  document: vscode.TextDocument;
  range: vscode.Range;
}

const SYMBOL_LIMIT_MS = 1_000;

/** The kinds of symbol that are worth a sentence of their own. */
const EXPLAINED_KINDS = new Set([
  vscode.SymbolKind.Function,
  vscode.SymbolKind.Method,
  vscode.SymbolKind.Constructor,
  vscode.SymbolKind.Class,
  vscode.SymbolKind.Interface,
  vscode.SymbolKind.Enum,
  vscode.SymbolKind.Struct,
]);

/** The target in `editor`, or undefined where there is nothing but white space. */
export async function explainTarget(editor: vscode.TextEditor): Promise<Target | undefined> {
  const { document, selection } = editor;
  if (document.getText(selection).trim() !== '') return { document, range: selection };
  const range = (await enclosingSymbol(document, selection.active)) ?? blockAround(document, selection.active.line);
  return range && { document, range };
}

async function enclosingSymbol(
  document: vscode.TextDocument,
  position: vscode.Position,
): Promise<vscode.Range | undefined> {
  const symbols = vscode.commands
    .executeCommand<vscode.DocumentSymbol[] | undefined>('vscode.executeDocumentSymbolProvider', document.uri)
    .then(undefined, () => undefined);
  // A language server that is still starting may take long; the block of lines serves meanwhile.
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, SYMBOL_LIMIT_MS, undefined);
  });
  const found = await Promise.race([symbols, limit]);
  clearTimeout(timer);
  return innermost(found ?? [], position)?.range;
}

/**
 * The smallest explained symbol that contains the position. The command's symbols are of a class of their own, whatever
 * the provider gave; those without a range come from providers of the old, flat kind and are passed by.
 */
function innermost(symbols: vscode.DocumentSymbol[], position: vscode.Position): vscode.DocumentSymbol | undefined {
  for (const symbol of symbols) {
    if (!('range' in symbol) || !symbol.range.contains(position)) continue;
    const inner = innermost(symbol.children, position);
    if (inner !== undefined) return inner;
    if (EXPLAINED_KINDS.has(symbol.kind)) return symbol;
  }
  return undefined;
}

/** The lines without a blank one between them that hold `line`. */
function blockAround(document: vscode.TextDocument, line: number): vscode.Range | undefined {
  const isBlank = (at: number): boolean => document.lineAt(at).isEmptyOrWhitespace;
  if (isBlank(line)) return undefined;
  let first = line;
  let last = line;
  while (first > 0 && !isBlank(first - 1)) first--;
  while (last < document.lineCount - 1 && !isBlank(last + 1)) last++;
  return new vscode.Range(new vscode.Position(first, 0), document.lineAt(last).range.end);
}
