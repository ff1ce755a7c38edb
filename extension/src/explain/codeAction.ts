/** Offers "Explain with Monokernel" on a selection, in the light bulb's menu. */
import * as vscode from 'vscode';
import { SCHEMES } from '../client/languageClient';

/** A kind of its own: it changes nothing, so it is no fix, refactoring or source action. The editor filters by it. */
export const EXPLAIN_KIND = vscode.CodeActionKind.Empty.append('monokernel.explain');

export function registerExplainAction(): vscode.Disposable {
  const provider: vscode.CodeActionProvider = {
    provideCodeActions: (document, range) => {
      if (document.getText(range).trim() === '') return [];
      const action = new vscode.CodeAction(vscode.l10n.t('Explain with Monokernel'), EXPLAIN_KIND);
      action.command = { title: action.title, command: 'monokernel.explainSelection' };
      return [action];
    },
  };
  return vscode.languages.registerCodeActionsProvider(
    SCHEMES.map((scheme) => ({ scheme })),
    provider,
    { providedCodeActionKinds: [EXPLAIN_KIND] },
  );
}
