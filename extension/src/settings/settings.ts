/** Reads and writes the section `monokernel` of the person's settings; the shape is the protocol's. */
import { homedir } from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { Settings } from '../../../lsp-server/protocol';

export const SECTION = 'monokernel';

/** The settings as they are now; the manifest's defaults fill what the person has not set. */
export function readSettings(): Settings {
  const settings = vscode.workspace.getConfiguration().get<Settings>(SECTION);
  if (settings === undefined) throw new Error(`the manifest contributes no settings '${SECTION}'`);
  return { ...settings, model: { path: expandHome(settings.model.path) } };
}

/** Whether completions are on for a language id: its own entry, else that of `*`. */
export function isLanguageOn(settings: Settings, languageId: string): boolean {
  return settings.languages[languageId] ?? settings.languages['*'] ?? true;
}

/** Writes one setting where the person has it already, else to the user settings. */
export async function writeSetting(key: string, value: unknown): Promise<void> {
  const section = vscode.workspace.getConfiguration(SECTION);
  const inspected = section.inspect(key);
  const target =
    inspected?.workspaceFolderValue !== undefined
      ? vscode.ConfigurationTarget.WorkspaceFolder
      : inspected?.workspaceValue !== undefined
        ? vscode.ConfigurationTarget.Workspace
        : vscode.ConfigurationTarget.Global;
  await section.update(key, value, target);
}

function expandHome(folder: string): string {
  return /^~(?=$|[\\/])/.test(folder) ? path.join(homedir(), folder.slice(1)) : folder;
}
