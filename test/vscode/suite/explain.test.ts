import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { ExplanationPage } from '../../../extension/src/explain/page';
import { sleep, until } from '../waiting';
import { activate, openFile, openText, untilReady, withSetting } from './editing';

const EXPLAIN = 'monokernel.explainSelection';

describe('explain', () => {
  before(async function () {
    this.timeout(90_000);
    await openFile('src/cart.ts');
    await untilReady();
  });

  it('streams an explanation of the selection into a page beside the editor', async () => {
    const editor = await openFile('src/product.ts');
    select(editor, 'export function findProduct', '\n}');
    const page = await vscode.commands.executeCommand<string>(EXPLAIN);
    assert.match(page, /^### product\.ts, lines/);
    assert.ok(page.includes('products.find('), 'the code is quoted');
    assert.ok(page.slice(page.lastIndexOf('```') + 3).trim().length > 10, 'and explained');
    assert.ok(pageTab(), 'the page is open');
    await until('the text on the page', () => shown() === page);
    assert.equal(vscode.window.activeTextEditor?.document, editor.document, 'the code keeps the focus');
  });

  it('says on the page why there is no explanation, however soon that is known', async () => {
    const { statusBar } = await activate();
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    await until('no page', () => shown() === undefined);
    const folder = mkdtempSync(path.join(tmpdir(), 'model-'));
    try {
      await withSetting('model.path', folder, async () => {
        await until('an error', () => statusBar.text.startsWith('$(error)'));
        const editor = await openFile('src/product.ts');
        select(editor, 'export function findProduct', '\n}');
        await vscode.commands.executeCommand(EXPLAIN);
        await until('the reason', () => shown()?.includes('**No explanation:**'), 5_000);
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
    await untilReady();
  });

  it('shows all of a text that comes while its page is being opened', async function () {
    this.timeout(60_000);
    const editor = await openFile('src/product.ts');
    const target = { document: editor.document, range: new vscode.Range(14, 0, 16, 1) };
    for (let round = 0; round < 20; round++) {
      const page = new ExplanationPage('monokernel-explanation-in-a-test');
      const opening = page.open(target);
      for (let word = 0; word < 10 + round; word++) {
        page.append(`word ${word} `);
        await sleep((round % 5) * 2);
      }
      page.replace('the whole text');
      await opening;
      await until(
        `all of round ${round}`,
        () => shown('monokernel-explanation-in-a-test') === page.provideTextDocumentContent(),
        5_000,
      );
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
      page.dispose();
    }
  });

  it('explains the enclosing symbol when nothing is selected', async () => {
    const editor = await openText('ini', 'one\ntwo\nthree\n\nfour\n');
    const range = new vscode.Range(1, 0, 2, 5);
    const symbols = vscode.languages.registerDocumentSymbolProvider('ini', {
      provideDocumentSymbols: () => [new vscode.DocumentSymbol('two', '', vscode.SymbolKind.Function, range, range)],
    });
    try {
      editor.selection = new vscode.Selection(1, 1, 1, 1);
      const page = await vscode.commands.executeCommand<string>(EXPLAIN);
      assert.ok(page.includes('lines 2 to 3'), page);
    } finally {
      symbols.dispose();
    }
  });

  it('explains the block around the cursor where there are no symbols', async () => {
    const editor = await openText('ini', 'one\n\ntwo\nthree\n\nfour\n');
    editor.selection = new vscode.Selection(3, 0, 3, 0);
    const page = await vscode.commands.executeCommand<string>(EXPLAIN);
    assert.ok(page.includes('lines 3 to 4'), page);
  });

  it('stops at once when told to', async () => {
    const editor = await openFile('src/cart.ts');
    select(editor, 'export class Cart', '\n}\n');
    const running = vscode.commands.executeCommand<string>(EXPLAIN);
    await until('the page', pageTab);
    await vscode.commands.executeCommand('monokernel.stopExplaining');
    assert.match(await running, /\*Stopped\.\*$/);
  });

  it('stops when its page is closed', async () => {
    const editor = await openFile('src/cart.ts');
    select(editor, 'export class Cart', '\n}\n');
    const running = vscode.commands.executeCommand<string>(EXPLAIN);
    const tab = await until('the page', pageTab);
    await vscode.window.tabGroups.close(tab);
    await running;
    assert.equal(pageTab(), undefined);
  });

  it('is offered in the light bulb for a selection, and never on save', async () => {
    const editor = await openFile('src/product.ts');
    const range = select(editor, 'export function withTag', '\n}');
    const titles = async (at: vscode.Range, kind?: string): Promise<string[]> =>
      (
        await vscode.commands.executeCommand<vscode.CodeAction[]>(
          'vscode.executeCodeActionProvider',
          editor.document.uri,
          at,
          kind,
        )
      ).map(({ title }) => title);
    assert.ok((await titles(range)).includes('Explain with Monokernel'));
    assert.ok(!(await titles(new vscode.Range(range.start, range.start))).includes('Explain with Monokernel'));
    assert.ok(!(await titles(range, 'source')).includes('Explain with Monokernel'));
    assert.ok(!(await titles(range, 'refactor')).includes('Explain with Monokernel'));
  });
});

/** Selects from the first occurrence of `from` to the end of the next occurrence of `to`. */
function select(editor: vscode.TextEditor, from: string, to: string): vscode.Range {
  const text = editor.document.getText();
  const start = text.indexOf(from);
  const end = text.indexOf(to, start) + to.length;
  assert.ok(start >= 0 && end > start, `${from} is in the file`);
  editor.selection = new vscode.Selection(editor.document.positionAt(start), editor.document.positionAt(end));
  return editor.selection;
}

/** What the editor has of the page, which its preview draws; undefined while it is closed. */
function shown(scheme = 'monokernel-explanation'): string | undefined {
  return vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === scheme)?.getText();
}

function pageTab(): vscode.Tab | undefined {
  return vscode.window.tabGroups.all
    .flatMap((group) => group.tabs)
    .find(({ input }) => input instanceof vscode.TabInputCustom && input.uri.scheme === 'monokernel-explanation');
}
