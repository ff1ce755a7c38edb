/** What a person does, scene after scene, and what must be on the screen. Each scene leaves a screenshot. */
import { until } from '../waiting';
import { strict as assert } from 'node:assert';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import type { EditorFolders } from '../../../extension/editor/server';
import { brightness, hardToRead } from './readability';
import type { Workbench } from './workbench';

export interface Stage {
  bench: Workbench;
  folders: EditorFolders;
  /** The folder that the extension was installed into. */
  extension: string;
}

export type Scene = (stage: Stage) => Promise<void>;

/** The size of the window, and that for the README's picture. */
export const WINDOW = { width: 1280, height: 800 };
const PICTURE = { width: 880, height: 420 };

const RATE = /[\d,.]+ tok\/s/;

export const scenes: Record<string, Scene> = {
  'ghost text appears in TypeScript, and the status bar shows a rate': async ({ bench }) => {
    await bench.statusShows('zap');
    await bench.page.setViewportSize(PICTURE);
    await bench.goToEnd(32);
    await bench.press('Enter', 'Enter');
    await bench.type('has(id: string): boolean {');
    await bench.press('Escape', 'Enter');
    const text = await bench.ghostText();
    assert.ok(text.trim().length > 0);
    await bench.statusSays(RATE);
    await bench.screenshot('typescript');
    await bench.pictureForReadme();
    await bench.page.setViewportSize(WINDOW);
  },

  'typing through the ghost text keeps the rest of it': async ({ bench }) => {
    const before = await bench.ghostText();
    const typed = before.slice(0, 2);
    await bench.type(typed);
    const after = await bench.ghostText();
    assert.equal(after.trimEnd(), before.slice(2).trimEnd());
    await bench.screenshot('typed-through');
  },

  'Tab takes the ghost text': async ({ bench }) => {
    const text = await bench.ghostText();
    await bench.press('Tab');
    const first = text.split('\n')[0]?.trim() ?? '';
    await until('the accepted text', async () => (await bench.lines()).some((line) => line.includes(first)));
    await bench.screenshot('accepted');
  },

  'a bracket that the editor closed is not doubled': async ({ bench }) => {
    await bench.press('Escape', 'Control+End');
    await bench.press('Enter');
    await bench.type('const cart = new Cart();');
    await bench.press('Escape', 'Enter');
    await bench.type('console.log(');
    await bench.ghostText();
    await bench.screenshot('brackets');
    await bench.press('Tab');
    const line = await until('the call', async () =>
      (await bench.lines()).find((text) => /console\.log\(.+\)/.test(text)),
    );
    assert.equal(line.split('(').length, line.split(')').length, line);
  },

  'ghost text appears in Python': async ({ bench }) => {
    await bench.openFile('report.py');
    await bench.press('Control+End');
    await bench.type('def by_product(orders: list[Order], product: str) -> list[Order]:');
    await bench.press('Escape', 'Enter');
    assert.ok((await bench.ghostText()).trim().length > 0);
    await bench.screenshot('python');
    await bench.press('Tab');
  },

  'the tooltip shows the figures': async ({ bench }) => {
    await bench.status.hover();
    const hover = bench.page.locator('.workbench-hover, .monaco-hover', { hasText: 'Decode' }).first();
    await hover.waitFor({ timeout: 10_000 });
    const text = await hover.innerText();
    for (const row of ['Decode', 'Prefill', 'First token', 'Prompt', 'Accepted', 'laneformer-nano', 'cpu']) {
      assert.ok(text.includes(row), `${row} in ${text}`);
    }
    assert.match(text, /Accepted\s+[1-9]\d* of/);
    await bench.screenshot('tooltip');
  },

  'a click shows the actions': async ({ bench }) => {
    await bench.status.click();
    await bench.row('Turn completions off').waitFor();
    await bench.screenshot('menu');
    await bench.press('Escape');
    await bench.page.mouse.move(640, 700);
  },

  'an explanation of the selection streams into a page, with a stop button': async ({ bench }) => {
    await bench.openFile('product.ts');
    await bench.goToEnd(15);
    await bench.press('Home', 'Shift+ArrowDown', 'Shift+ArrowDown', 'Shift+End');
    const stop = bench.page.locator('.editor-actions .codicon-debug-stop').first().waitFor({ timeout: 20_000 });
    await bench.editor.locator('.view-line', { hasText: 'products.find(' }).click({ button: 'right' });
    const entry = bench.page.getByRole('menuitem', { name: 'Explain Selection' });
    await entry.waitFor();
    await bench.screenshot('context-menu');
    await entry.click();
    await stop;
    await bench.screenshot('explaining');
    const text = await until('an explanation', async () => {
      const shown = await bench.previewText();
      const explanation = shown.split('product.id === id);')[1]?.replace('}', '').trim() ?? '';
      return explanation.length > 10 && !explanation.startsWith('Reading') ? shown : undefined;
    });
    assert.ok(text.includes('product.ts'), text);
    await bench.page.locator('.editor-actions .codicon-debug-stop').first().waitFor({ state: 'detached' });
    await bench.screenshot('explained');
    await bench.command('View: Close All Editors');
    await bench.page.locator('.tab').first().waitFor({ state: 'detached' });
  },

  'the topology page draws the machine, readable in both themes': async ({ bench }) => {
    await bench.command('Monokernel: Show Topology');
    for (const theme of ['light', 'dark']) {
      const page = await until('the topology page', () => bench.webview('main h2'));
      const text = await page.locator('main').innerText();
      for (const part of [
        'Topology',
        'laneformer-nano (8 lanes) runs on',
        'Socket 0',
        'NUMA node',
        'Core 0',
        'L1 data',
      ]) {
        assert.ok(text.includes(part), `${part} in ${text}`);
      }
      assert.match(text, /No GPU was found[\s\S]*Looked for|GPU 0: /);
      await until(`a ${theme} page`, async () => (await brightness(page)) > 0.5 === (theme === 'light'));
      assert.deepEqual(await hardToRead(page), []);
      await bench.screenshot(`topology-${theme}`);
      await bench.command('Preferences: Toggle between Light/Dark Themes');
    }
    await bench.page.locator('.monaco-workbench.vs').waitFor();
    await bench.command('View: Close All Editors');
    await bench.page.locator('.tab').first().waitFor({ state: 'detached' });
  },

  'the doctor’s report opens as a page of text': async ({ bench }) => {
    await bench.command('Monokernel: Doctor');
    await bench.page.locator('.tab.active', { hasText: 'Monokernel Doctor' }).waitFor();
    await until('the report', async () => (await bench.lines()).some((line) => line.startsWith('Problems')));
    await bench.screenshot('doctor');
    await bench.command('View: Close All Editors');
    await bench.page.locator('.tab').first().waitFor({ state: 'detached' });
  },

  'a language that is off says so': async ({ bench }) => {
    await bench.openFile('README.md');
    await bench.statusShows('circle-slash');
    await bench.screenshot('off');
  },

  'a broken model folder is a clear error, and the built-in model brings it back': async ({ bench, folders }) => {
    await bench.openFile('cart.ts');
    await bench.command('Monokernel: Select Model Folder');
    await bench.chooseFolder(brokenModel(folders.temporary), 'Use This Model');
    await bench.statusShows('error');
    const toast = bench.toasts.filter({ hasText: 'broken-model' });
    await toast.first().waitFor();
    assert.equal(await bench.toasts.count(), 1);
    await bench.screenshot('model-error');
    await toast.getByRole('button', { name: 'Use Built-in Model' }).click();
    await bench.statusShows('zap');
  },

  'a killed server comes back, with one message': async ({ bench, extension }) => {
    process.kill(serverProcess(extension), 'SIGKILL');
    await bench.toasts
      .filter({ hasText: /SIGKILL.*is being restarted/ })
      .first()
      .waitFor();
    await bench.screenshot('server-killed');
    await bench.statusShows('zap');
    assert.equal(await bench.toasts.count(), 1);
    await bench.clearToasts();
    await bench.editor.locator('.view-lines').click();
    await bench.press('Control+End', 'Enter');
    await bench.type('export function isEmpty(cart: Cart): boolean {');
    await bench.press('Escape', 'Enter');
    await bench.type('return ');
    assert.ok((await bench.ghostText()).trim().length > 0);
    await bench.screenshot('recovered');
  },

  'the walkthrough opens': async ({ bench }) => {
    await bench.command('Welcome: Open Walkthrough...');
    await bench.quickInput().fill('Get Started with Monokernel');
    await bench.row('Get Started with Monokernel').waitFor();
    await bench.press('Enter');
    await bench.page.locator('.getting-started-step', { hasText: 'Have code explained' }).first().waitFor();
    await bench.page.waitForTimeout(3_000); // The picture comes in a frame of its own.
    await bench.screenshot('walkthrough');
  },
};

/** A folder that looks like a model at first glance. */
function brokenModel(parent: string): string {
  const folder = path.join(parent, 'broken-model');
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'config.json'), '{ "model_type": "llama" }');
  writeFileSync(path.join(folder, 'model.safetensors'), 'cut off');
  return folder;
}

/** The process that runs the installed extension's server. */
function serverProcess(extension: string): number {
  const program = path.join(extension, 'dist/server.js');
  const found = readdirSync('/proc').find((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(program);
    } catch {
      return false; // It ended meanwhile.
    }
  });
  assert.ok(found, `a process runs ${program}`);
  return Number(found);
}
