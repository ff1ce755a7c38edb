/** Has the server measure which memory of each GPU is near which die, and tells what came of it. */
import * as vscode from 'vscode';
import { MeasureMemoryRequest } from '../../../lsp-server/protocol';
import type { MeasuredGpu } from '../../../lsp-server/protocol';
import type { Session } from '../client/session';

/** Resolves with the results, or with undefined when the person stopped it. Rejects with why nothing was measured. */
export async function measureMemory(session: Session): Promise<MeasuredGpu[] | undefined> {
  const options: vscode.ProgressOptions = {
    location: vscode.ProgressLocation.Notification,
    title: vscode.l10n.t('Monokernel is measuring GPU memory. Completions go on afterwards.'),
    cancellable: true,
  };
  const results = await vscode.window.withProgress(options, async (_, token) => {
    try {
      await session.started(token);
      return await session.request<MeasuredGpu[]>(MeasureMemoryRequest.method, {}, token);
    } catch (error) {
      if (token.isCancellationRequested) return undefined;
      throw error;
    }
  });
  if (results !== undefined) tell(results);
  return results;
}

function tell(results: readonly MeasuredGpu[]): void {
  if (results.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Monokernel: There is no GPU to measure.'));
    return;
  }
  const lines = results.map(({ gpu, name, kept, reason }) =>
    kept
      ? vscode.l10n.t('GPU {0} ({1}): {2}', gpu, name, reason)
      : vscode.l10n.t('GPU {0} ({1}) was not measured: {2}', gpu, name, reason),
  );
  const show = results.every(({ kept }) => kept)
    ? vscode.window.showInformationMessage
    : vscode.window.showWarningMessage;
  const topology = vscode.l10n.t('Show Topology');
  void show(`Monokernel: ${lines.join('; ')}.`, topology).then(async (answer) => {
    if (answer === topology) await vscode.commands.executeCommand('monokernel.showTopology');
  });
}
