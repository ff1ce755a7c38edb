import { strict as assert } from 'node:assert';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { until } from '../waiting';
import {
  activate,
  completeAndAccept,
  doctorPage,
  openFile,
  openText,
  serverProcesses,
  untilReady,
  withSetting,
} from './editing';

describe('server', () => {
  before(async function () {
    if (!existsSync('/proc/self/stat')) this.skip();
    this.timeout(90_000);
    await openFile('src/cart.ts');
    await untilReady();
  });

  it('is one process', () => {
    assert.equal(serverProcesses().length, 1);
  });

  it('restarts on demand', async () => {
    const [before] = serverProcesses();
    await vscode.commands.executeCommand('monokernel.restart');
    await untilReady();
    const after = serverProcesses();
    assert.equal(after.length, 1);
    assert.notEqual(after[0], before);
  });

  it('stays alive with a broken model folder, says what is wrong, and recovers', async () => {
    const { statusBar } = await activate();
    const [before] = serverProcesses();
    const folder = mkdtempSync(path.join(tmpdir(), 'model-'));
    try {
      await withSetting('model.path', folder, async () => {
        await until('an error', () => statusBar.text.startsWith('$(error)'));
        assert.ok(statusBar.tooltip.includes('config.json'), statusBar.tooltip);
        assert.deepEqual(serverProcesses(), [before]);
      });
      await untilReady();
      assert.deepEqual(serverProcesses(), [before]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('comes back after it was killed, and completes again', async function () {
    this.timeout(60_000);
    const [before] = serverProcesses();
    assert.ok(before);
    process.kill(before, 'SIGKILL');
    await until('another server', () => serverProcesses().some((id) => id !== before));
    await untilReady();
    const editor = await openText('typescript', 'function add(a: number, b: number): number {\n  return ');
    assert.notEqual(await completeAndAccept(editor), '');
  });

  it('is left alone after it died again and again, which the doctor tells, until the person restarts it', async function () {
    this.timeout(120_000);
    const { statusBar } = await activate();
    await vscode.commands.executeCommand('monokernel.restart');
    for (let round = 0; round < 5; round++) {
      const id = await until('a server', () => serverProcesses()[0], 30_000);
      process.kill(id, 'SIGKILL');
      await until('its end', () => !serverProcesses().includes(id));
    }
    await until('an error', () => statusBar.text.startsWith('$(error)'));
    assert.match(statusBar.tooltip, /stopped too often/);
    assert.deepEqual(serverProcesses(), []);
    const report = await vscode.commands.executeCommand<string>('monokernel.doctor');
    assert.match(report, /^Server +does not answer\n +it last stopped by itself: signal SIGKILL$/m);
    assert.match(report, /^Problems +ERROR: .* is stopped.*"Monokernel: Restart the Language Server"/m);
    await until('the page', () => doctorPage()?.getText() === report);
    await vscode.commands.executeCommand('monokernel.restart');
    await untilReady();
  });
});
