/** What the tests do in the editor, as a person would. */
import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { sleep, until } from '../waiting';
import type { MonokernelApi } from '../../../extension/src/extension';

export const EXTENSION = 'monokernel.monokernel';

export async function activate(): Promise<MonokernelApi> {
  const extension = vscode.extensions.getExtension<MonokernelApi>(EXTENSION);
  assert.ok(extension, 'the extension is there');
  return extension.activate();
}

/** Waits until the server says that its model is ready. */
export async function untilReady(): Promise<MonokernelApi> {
  const monokernel = await activate();
  await until('a ready model', () => monokernel.statusBar.text.startsWith('$(zap)'), 30_000).catch(() => {
    throw new Error(`not ready: ${monokernel.statusBar.text} ${monokernel.statusBar.tooltip}`);
  });
  return monokernel;
}

/** Opens a file of the workspace, with the cursor at its end. */
export async function openFile(name: string): Promise<vscode.TextEditor> {
  const folder = vscode.workspace.workspaceFolders?.[0];
  assert.ok(folder, 'a workspace is open');
  return show(await vscode.workspace.openTextDocument(vscode.Uri.joinPath(folder.uri, name)));
}

/** Opens a new document, with the cursor at its end. */
export async function openText(language: string, content: string): Promise<vscode.TextEditor> {
  return show(await vscode.workspace.openTextDocument({ language, content }));
}

async function show(document: vscode.TextDocument): Promise<vscode.TextEditor> {
  const editor = await vscode.window.showTextDocument(document, { preview: false });
  const end = document.lineAt(document.lineCount - 1).range.end;
  editor.selection = new vscode.Selection(end, end);
  return editor;
}

/** The doctor's page, where it is open. */
export function doctorPage(): vscode.TextDocument | undefined {
  return vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === 'monokernel-doctor');
}

export async function type(text: string): Promise<void> {
  await vscode.commands.executeCommand('type', { text });
}

/**
 * Asks for ghost text and takes it; gives what came. There is no API to read ghost text, so it is committed until the
 * document changes. Gives an empty string when nothing came within the time.
 */
export async function completeAndAccept(editor: vscode.TextEditor, milliseconds = 15_000): Promise<string> {
  const { document } = editor;
  const before = document.getText();
  const deadline = Date.now() + milliseconds;
  for (let round = 0; document.getText() === before && Date.now() < deadline; round++) {
    if (round % 20 === 0) await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
    await vscode.commands.executeCommand('editor.action.inlineSuggest.commit');
    await sleep(50);
  }
  return document.getText().slice(before.length);
}

/** Sets one of our settings for the time of `body`. */
export async function withSetting(key: string, value: unknown, body: () => Promise<void>): Promise<void> {
  const target = vscode.ConfigurationTarget.Global;
  const before = vscode.workspace.getConfiguration('monokernel').inspect(key)?.globalValue;
  await vscode.workspace.getConfiguration('monokernel').update(key, value, target);
  try {
    await body();
  } finally {
    await vscode.workspace.getConfiguration('monokernel').update(key, before, target);
  }
}

/** Process ids of the language servers that this extension host has started. Needs /proc, so Linux. */
export function serverProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((id) => {
      try {
        const parent = Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${id}/stat`, 'utf8'))?.[1]);
        const command = readFileSync(`/proc/${id}/cmdline`, 'utf8');
        return parent === process.pid && command.includes(path.join('dist', 'server.js'));
      } catch {
        return false; // It ended meanwhile.
      }
    });
}
