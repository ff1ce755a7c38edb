/** The quick pick behind a click on the status bar item. */
import * as vscode from 'vscode';
import { readSettings } from '../settings/settings';
import { viewOf } from './view';
import type { Facts } from './view';

interface Action extends vscode.QuickPickItem {
  command?: string;
  arguments?: unknown[];
}

/** Shows the actions that make sense now and runs the chosen one. */
export async function showMenu(facts: Facts): Promise<void> {
  const chosen = await vscode.window.showQuickPick(actionsOf(facts), {
    title: 'Monokernel',
    placeHolder: viewOf(facts).summary,
  });
  if (chosen?.command !== undefined) await vscode.commands.executeCommand(chosen.command, ...(chosen.arguments ?? []));
}

function actionsOf({ refusal, language, explaining }: Facts): Action[] {
  const actions: Action[] = [];
  if (explaining)
    actions.push({ label: `$(debug-stop) ${vscode.l10n.t('Stop explaining')}`, command: 'monokernel.stopExplaining' });
  actions.push({
    label:
      refusal === 'off'
        ? `$(circle-large) ${vscode.l10n.t('Turn completions on')}`
        : `$(circle-slash) ${vscode.l10n.t('Turn completions off')}`,
    command: 'monokernel.toggle',
  });
  if (language !== undefined && refusal !== 'off') {
    const label =
      refusal === 'language' ? vscode.l10n.t('Turn on for {0}', language) : vscode.l10n.t('Turn off for {0}', language);
    actions.push({ label: `$(code) ${label}`, command: 'monokernel.toggleLanguage' });
  }
  if (refusal === undefined || refusal === 'snoozed') {
    const label = refusal === 'snoozed' ? vscode.l10n.t('End snooze') : vscode.l10n.t('Snooze for 5 minutes');
    actions.push({ label: `$(bell-slash) ${label}`, command: 'monokernel.snooze' });
  }
  actions.push({
    label: `$(comment-discussion) ${vscode.l10n.t('Explain selection')}`,
    command: 'monokernel.explainSelection',
  });
  actions.push({ label: '', kind: vscode.QuickPickItemKind.Separator });
  actions.push({
    label: `$(folder-opened) ${vscode.l10n.t('Select model folder…')}`,
    command: 'monokernel.selectModel',
  });
  if (readSettings().model.path !== '') {
    actions.push({
      label: `$(package) ${vscode.l10n.t('Use the built-in model')}`,
      command: 'monokernel.useBuiltInModel',
    });
  }
  actions.push({
    label: `$(debug-restart) ${vscode.l10n.t('Restart the language server')}`,
    command: 'monokernel.restart',
  });
  actions.push({
    label: `$(circuit-board) ${vscode.l10n.t('Show topology')}`,
    command: 'monokernel.showTopology',
  });
  actions.push({
    label: `$(pulse) ${vscode.l10n.t('Doctor: what was found, what is wrong')}`,
    command: 'monokernel.doctor',
  });
  actions.push({ label: `$(output) ${vscode.l10n.t('Show log')}`, command: 'monokernel.showLog' });
  actions.push({
    label: `$(gear) ${vscode.l10n.t('Settings')}`,
    command: 'workbench.action.openSettings',
    arguments: ['@ext:monokernel.monokernel'],
  });
  return actions;
}
