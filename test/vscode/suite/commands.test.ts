import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { until } from '../waiting';
import { activate, doctorPage, EXTENSION, openFile, openText, type, untilReady, withSetting } from './editing';

const TOPOLOGY = 'Monokernel Topology';
const DOCTOR = 'Monokernel Doctor';

interface Manifest {
  contributes: {
    commands: { command: string }[];
    configuration: { properties: Record<string, { default: unknown }> };
    keybindings?: unknown;
  };
}

const manifest = (): Manifest => vscode.extensions.getExtension(EXTENSION)?.packageJSON as Manifest;
const setting = (key: string): unknown => vscode.workspace.getConfiguration('monokernel').get(key);

describe('commands', () => {
  before(untilReadyInTypeScript);
  afterEach(resetSettings);

  it('exist, each that the manifest names', async () => {
    await activate();
    const registered = new Set(await vscode.commands.getCommands(true));
    const named = manifest().contributes.commands.map(({ command }) => command);
    assert.ok(named.length >= 8);
    assert.deepEqual(
      named.filter((command) => !registered.has(command)),
      [],
    );
  });

  it('show topology opens one page about this machine, without scripts', async () => {
    const page = await vscode.commands.executeCommand<string>('monokernel.showTopology');
    assert.match(page, /default-src &#39;none&#39;; style-src &#39;nonce-/);
    assert.match(page, /laneformer-nano \(8 lanes\) runs on/);
    assert.match(page, /Core 0/);
    await vscode.commands.executeCommand('monokernel.showTopology');
    const pages = vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs).filter(({ label }) => label === TOPOLOGY);
    assert.equal(pages.length, 1);
    await vscode.window.tabGroups.close(pages);
  });

  it('doctor writes its report about this machine into one page that nobody can write to', async () => {
    const report = await vscode.commands.executeCommand<string>('monokernel.doctor');
    await until('the page', () => doctorPage()?.getText() === report);
    assert.equal(doctorPage()?.languageId, 'monokernel-report', 'which wraps long lines');
    assert.match(report, /^Engine +version [\d.]+ on \w+-\w+$/m);
    assert.match(report, /^ +running: \S/m);
    assert.match(report, /^CPU .*\d+ cores?, of which \d+ may be used$/m);
    assert.match(report, /^Model .*laneformer-nano: laneformer_tp, 8 lanes/m);
    assert.match(report, /^Problems +\S/m);
    assert.doesNotMatch(report, /npm/);
    await type('x');
    assert.equal(doctorPage()?.getText(), report);
    assert.equal(await vscode.commands.executeCommand('monokernel.doctor'), report, 'and the same again');
    const pages = vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs).filter(({ label }) => label === DOCTOR);
    assert.equal(pages.length, 1);
    await vscode.window.tabGroups.close(pages);
  });

  it('measure GPU memory says when there is no GPU, and completions go on', async function () {
    const report = await vscode.commands.executeCommand<string>('monokernel.doctor');
    if (!report.includes('none that the kernels run on')) this.skip();
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    assert.deepEqual(await vscode.commands.executeCommand('monokernel.measureMemory'), []);
    await untilReady();
  });

  it('leave the keyboard alone', () => {
    assert.equal(manifest().contributes.keybindings, undefined);
  });

  it('toggle switches completions off and on, and the status bar says so', async () => {
    const { statusBar } = await activate();
    await vscode.commands.executeCommand('monokernel.toggle');
    assert.equal(setting('enable'), false);
    await until('an off status', () => statusBar.text.startsWith('$(circle-slash)'));
    assert.match(statusBar.tooltip, /Completions are off/);
    await vscode.commands.executeCommand('monokernel.toggle');
    assert.equal(setting('enable'), true);
    await until('an on status', () => statusBar.text.startsWith('$(zap)'));
  });

  it('toggle for this language touches that language only', async () => {
    const { statusBar } = await activate();
    await openText('python', 'x = 1\n');
    await vscode.commands.executeCommand('monokernel.toggleLanguage');
    assert.equal((setting('languages') as Record<string, boolean>)['python'], false);
    await until('an off status', () => statusBar.text.startsWith('$(circle-slash)'));
    await openFile('src/cart.ts');
    await until('an on status', () => statusBar.text.startsWith('$(zap)'));
    await openText('python', 'x = 1\n');
    await vscode.commands.executeCommand('monokernel.toggleLanguage');
    assert.equal((setting('languages') as Record<string, boolean>)['python'], true);
  });

  it('snooze shows a bell, and a second one ends it', async () => {
    const { statusBar } = await activate();
    await openFile('src/cart.ts');
    await vscode.commands.executeCommand('monokernel.snooze');
    await until('a snoozing status', () => statusBar.text.startsWith('$(bell-slash)'));
    await vscode.commands.executeCommand('monokernel.snooze');
    await until('an awake status', () => statusBar.text.startsWith('$(zap)'));
  });

  it('select model folder takes a folder with a model only', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'model-'));
    try {
      await vscode.commands.executeCommand('monokernel.selectModel', vscode.Uri.file(folder));
      assert.equal(setting('model.path'), '');
      writeFileSync(path.join(folder, 'config.json'), '{}');
      await vscode.commands.executeCommand('monokernel.selectModel', vscode.Uri.file(folder));
      assert.equal(setting('model.path'), '');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('plain text is off by default, any code is on', async () => {
    const { statusBar } = await activate();
    await openText('plaintext', 'hello\n');
    await until('an off status', () => statusBar.text.startsWith('$(circle-slash)'));
    await openText('rust', 'fn main() {}\n');
    await until('an on status', () => statusBar.text.startsWith('$(zap)'));
  });

  it('settings have the defaults that the manifest says, and a status that follows them', async () => {
    for (const [key, { default: value }] of Object.entries(manifest().contributes.configuration.properties)) {
      const inspected = vscode.workspace.getConfiguration().inspect(key);
      assert.deepEqual(inspected?.defaultValue, value, key);
    }
    const { statusBar } = await activate();
    await openFile('src/cart.ts');
    await withSetting('languages', { '*': false }, async () => {
      await until('an off status', () => statusBar.text.startsWith('$(circle-slash)'));
    });
    await until('an on status', () => statusBar.text.startsWith('$(zap)'));
  });
});

async function resetSettings(): Promise<void> {
  const section = vscode.workspace.getConfiguration('monokernel');
  for (const key of ['enable', 'languages']) await section.update(key, undefined, vscode.ConfigurationTarget.Global);
}

async function untilReadyInTypeScript(this: Mocha.Context): Promise<void> {
  this.timeout(90_000);
  await openFile('src/cart.ts');
  await untilReady();
}
