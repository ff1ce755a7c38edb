/** Choosing the model's folder. Looks only at what a person can mix up; the server validates the rest. */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { readSettings, writeSetting } from '../settings/settings';

/** Asks for a folder, unless one is given, and sets it if there is a model in it. */
export async function selectModel(given?: vscode.Uri): Promise<void> {
  const folder = given ?? (await askForFolder());
  if (folder === undefined) return;
  const fault = modelFolderFault(folder.fsPath);
  if (fault === undefined) {
    await writeSetting('model.path', folder.fsPath);
    return;
  }
  const again = vscode.l10n.t('Select Another Folder…');
  void vscode.window.showErrorMessage(fault, again).then((answer) => (answer === again ? selectModel() : undefined));
}

async function askForFolder(): Promise<vscode.Uri | undefined> {
  const current = readSettings().model.path;
  const [folder] =
    (await vscode.window.showOpenDialog({
      canSelectFiles: false,
      canSelectFolders: true,
      canSelectMany: false,
      defaultUri: vscode.Uri.file(current === '' ? homedir() : path.dirname(current)),
      title: vscode.l10n.t('Folder of a model in Hugging Face layout'),
      openLabel: vscode.l10n.t('Use This Model'),
    })) ?? [];
  return folder;
}

/** What is missing in a model folder, for people; undefined when it looks like one. */
function modelFolderFault(folder: string): string | undefined {
  if (!existsSync(path.join(folder, 'config.json'))) {
    return vscode.l10n.t(
      '{0} has no config.json: choose the folder that holds config.json, tokenizer.json and the safetensors files.',
      folder,
    );
  }
  if (!readdirSync(folder).some((file) => file.endsWith('.safetensors'))) {
    return vscode.l10n.t('{0} has no .safetensors file: only weights in that format can be read.', folder);
  }
  return undefined;
}
