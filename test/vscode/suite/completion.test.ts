import { strict as assert } from 'node:assert';
import * as vscode from 'vscode';
import { sleep, until } from '../waiting';
import { activate, completeAndAccept, openFile, openText, type, untilReady, withSetting } from './editing';

const QUIET_MS = 2_500;
/** Figures come at most four times a second. */
const SETTLE_MS = 600;
const RATE = /^\$\(zap\) [\d,.]+ tok\/s$/;
const TYPESCRIPT = '/** Adds two numbers. */\nfunction add(first: number, second: number): number {\n  return ';

describe('completion', () => {
  before(async function () {
    this.timeout(90_000);
    await openFile('src/cart.ts');
    await untilReady();
  });

  it('says that it is ready, and no rate yet, after a completion of two tokens', async function () {
    this.timeout(60_000);
    await vscode.commands.executeCommand('monokernel.restart');
    const { statusBar } = await untilReady();
    await withSetting('completion.maxTokens', 2, async () => {
      const editor = await openText('typescript', TYPESCRIPT);
      assert.notEqual(await completeAndAccept(editor), '');
    });
    await until('its figures', () => /Generated \| (?:&nbsp;|\s)*[12] tokens/.test(statusBar.tooltip));
    await until('the end of the request', () => statusBar.text.startsWith('$(zap)'));
    assert.equal(statusBar.text, '$(zap) Monokernel');
    assert.match(statusBar.tooltip, /^\*\*Monokernel\*\*\n\nReady\.\n/);
  });

  it('completes TypeScript, and the status bar shows the rate', async () => {
    const { statusBar } = await activate();
    // A rate takes eight decoded tokens, and the body of one of these functions is about four.
    for (const [name, sign] of Object.entries({ add: '+', subtract: '-', multiply: '*', divide: '/' })) {
      const opening = `/** ${name} with ${sign} */\nfunction ${name}(first: number, second: number): number {\n  return `;
      const editor = await openText('typescript', opening);
      const text = await completeAndAccept(editor);
      assert.ok(text.trim().length > 0, 'something came');
      assert.ok(editor.document.getText().startsWith(opening), 'what was there stays');
    }
    await until('a rate', () => RATE.test(statusBar.text));
    for (const row of ['Decode', 'Prefill', 'First token', 'Prompt', 'Accepted'])
      assert.ok(statusBar.tooltip.includes(row), row);
  });

  it('completes Python in a file of the workspace', async () => {
    const editor = await openFile('scripts/report.py');
    await type('def average_price(orders: list[Order]) -> float:\n    return ');
    const text = await completeAndAccept(editor);
    assert.ok(text.trim().length > 0, 'something came');
  });

  it('counts what was accepted', async () => {
    const { statusBar } = await activate();
    const accepted = (): number => Number(/\| (?:&nbsp;|\s)*(\d+) of \d+/.exec(statusBar.tooltip)?.[1] ?? 0);
    await sleep(SETTLE_MS);
    const before = accepted();
    const editor = await openText('typescript', TYPESCRIPT);
    assert.notEqual(await completeAndAccept(editor), '');
    await until('one more', () => accepted() === before + 1);
  });

  it('leaves no second bracket behind one that the editor closed', async () => {
    const editor = await openText('typescript', 'const names: string[] = [];\nconsole');
    await type('.log(');
    assert.ok(editor.document.getText().endsWith('console.log()'), 'the editor closes brackets');
    const text = await completeAndAccept(editor);
    assert.notEqual(text, '');
    const line = editor.document.lineAt(1).text;
    assert.equal(line.split('(').length, line.split(')').length, line);
  });

  it('takes one word at a time', async () => {
    const editor = await openText('typescript', TYPESCRIPT);
    await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
    await until('a word', async () => {
      await vscode.commands.executeCommand('editor.action.inlineSuggest.acceptNextWord');
      return editor.document.getText() !== TYPESCRIPT;
    });
    assert.ok(editor.document.getText().startsWith(TYPESCRIPT));
  });

  it('offers nothing when it is off, or off for the language', async () => {
    const editor = await openText('typescript', TYPESCRIPT);
    await withSetting('enable', false, async () => {
      assert.equal(await completeAndAccept(editor, QUIET_MS), '');
    });
    await withSetting('languages', { '*': true, typescript: false }, async () => {
      assert.equal(await completeAndAccept(editor, QUIET_MS), '');
    });
    await type(' '); // The editor asks once for each version of a document.
    assert.notEqual(await completeAndAccept(editor), '', 'and offers again afterwards');
  });

  it('offers nothing to several cursors', async () => {
    const editor = await openText('typescript', `${TYPESCRIPT}\n}\n\n${TYPESCRIPT}\n}\n`);
    const [first, second] = [2, 7].map((line) => editor.document.lineAt(line).range.end);
    assert.ok(first && second);
    editor.selections = [new vscode.Selection(first, first), new vscode.Selection(second, second)];
    await sleep(100);
    assert.equal(await completeAndAccept(editor, QUIET_MS), '');
    editor.selection = new vscode.Selection(first, first);
    await type(' ');
    await completeAndAccept(editor);
    assert.notEqual(editor.document.lineAt(2).text.trim(), 'return', 'but to one of them');
  });
});
