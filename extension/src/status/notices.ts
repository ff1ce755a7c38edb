/** The few pop-ups nobody asked for: the server died, or the model cannot be loaded. Each is said once. */
import * as vscode from 'vscode';
import type { Session } from '../client/session';

export function registerNotices(session: Session): vscode.Disposable {
  let lastError: string | undefined;
  return vscode.Disposable.from(
    session.onDidDie(({ reason, restarts, first }) => {
      if (!restarts) {
        void offer(
          'error',
          vscode.l10n.t('Monokernel: the language server keeps stopping ({0}) and is not started again.', reason),
          {
            [vscode.l10n.t('Restart')]: 'monokernel.restart',
            [vscode.l10n.t('Doctor')]: 'monokernel.doctor',
            [vscode.l10n.t('Show Log')]: 'monokernel.showLog',
          },
        );
      } else if (first) {
        void offer(
          'warning',
          vscode.l10n.t('Monokernel: the language server stopped ({0}) and is being restarted.', reason),
          {
            [vscode.l10n.t('Show Log')]: 'monokernel.showLog',
            [vscode.l10n.t('Turn Completions Off')]: 'monokernel.toggle',
          },
        );
      }
    }),
    session.onDidChange(() => {
      const { status } = session;
      if (status === undefined) return;
      const error =
        status.state === 'error' ? (status.message ?? vscode.l10n.t('the model could not be loaded')) : undefined;
      if (error !== undefined && error !== lastError) {
        void offer('error', `Monokernel: ${error}`, {
          [vscode.l10n.t('Select Model Folder…')]: 'monokernel.selectModel',
          [vscode.l10n.t('Use Built-in Model')]: 'monokernel.useBuiltInModel',
          [vscode.l10n.t('Doctor')]: 'monokernel.doctor', // A fourth button would leave no room for their labels.
        });
      }
      if (status.state !== 'loading') lastError = error;
    }),
  );
}

/** Shows a message whose buttons run commands. */
async function offer(kind: 'warning' | 'error', message: string, actions: Record<string, string>): Promise<void> {
  const labels = Object.keys(actions);
  const answer =
    kind === 'error'
      ? await vscode.window.showErrorMessage(message, ...labels)
      : await vscode.window.showWarningMessage(message, ...labels);
  const command = answer === undefined ? undefined : actions[answer];
  if (command !== undefined) await vscode.commands.executeCommand(command);
}
