/** When ghost text is wanted. What it says and how long it is, is the server's business. */
import * as vscode from 'vscode';
import type { Settings } from '../../../lsp-server/protocol';
import { isLanguageOn } from '../settings/settings';

/** Why completions are not offered in a document, or undefined when they are. */
export type Refusal = 'off' | 'language' | 'snoozed';

export function refusal(settings: Settings, languageId: string, snoozed: boolean): Refusal | undefined {
  if (!settings.enable) return 'off';
  if (!isLanguageOn(settings, languageId)) return 'language';
  return snoozed ? 'snoozed' : undefined;
}

/** Whether the person is typing at one place: ghost text for one of several cursors, or over a selection, is noise. */
export function typesAtOnePlace(document: vscode.TextDocument): boolean {
  const editor = vscode.window.activeTextEditor;
  if (editor?.document !== document) return true;
  return editor.selections.length === 1 && editor.selection.isEmpty;
}
