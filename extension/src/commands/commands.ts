/** Every command of the extension. They exist from activation on, whatever the server does. */
import * as vscode from 'vscode';
import type { MeasuredGpu } from '../../../lsp-server/protocol';
import { ServerUnavailableError } from '../client/session';
import type { Session } from '../client/session';
import type { Snooze } from '../completion/snooze';
import type { DoctorPage } from '../doctor/doctorPage';
import type { Explainer } from '../explain/explainer';
import { explainTarget } from '../explain/target';
import { isLanguageOn, readSettings, writeSetting } from '../settings/settings';
import { showMenu } from '../status/menu';
import type { StatusBar } from '../status/statusBar';
import { measureMemory } from '../topology/measureMemory';
import type { TopologyPage } from '../topology/topologyPage';
import { selectModel } from './selectModel';

export interface Parts {
  session: Session;
  snooze: Snooze;
  explainer: Explainer;
  topology: TopologyPage;
  doctor: DoctorPage;
  statusBar: StatusBar;
  log: vscode.LogOutputChannel;
}

export function registerCommands(parts: Parts): vscode.Disposable {
  const { session, snooze, explainer, topology, doctor, statusBar, log } = parts;
  const commands: Record<string, (...given: never[]) => unknown> = {
    'monokernel.toggle': () => writeSetting('enable', !readSettings().enable),
    'monokernel.toggleLanguage': toggleLanguage,
    'monokernel.snooze': () => {
      if (snooze.active) snooze.end();
      else snooze.start();
    },
    'monokernel.restart': () => session.restart(),
    'monokernel.showLog': () => {
      log.show();
    },
    'monokernel.showTopology': () => topology.show(),
    'monokernel.doctor': () => doctor.show(),
    'monokernel.measureMemory': () => measureOrHelp(session),
    'monokernel.showMenu': () => showMenu(statusBar.facts()),
    'monokernel.selectModel': (given?: unknown) => selectModel(given instanceof vscode.Uri ? given : undefined),
    'monokernel.useBuiltInModel': () => writeSetting('model.path', undefined),
    'monokernel.explainSelection': () => explainSelection(explainer),
    'monokernel.stopExplaining': () => {
      explainer.stop();
    },
  };
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([id, run]) => vscode.commands.registerCommand(id, run)),
  );
}

/** Switches completions for the active editor's language. */
async function toggleLanguage(): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  if (language === undefined) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Open a file of the language first.'));
    return;
  }
  const settings = readSettings();
  await writeSetting('languages', { ...settings.languages, [language]: !isLanguageOn(settings, language) });
}

/** Resolves with the page's text, also when the person stopped it. */
async function explainSelection(explainer: Explainer): Promise<string | undefined> {
  const editor = vscode.window.activeTextEditor;
  const target = editor && (await explainTarget(editor));
  if (target === undefined) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Put the cursor into the code to explain, or select it.'));
    return undefined;
  }
  try {
    return await explainer.explain(target);
  } catch (error) {
    if (!(error instanceof ServerUnavailableError)) throw error;
    offerHelp(error.message);
    return undefined;
  }
}

async function measureOrHelp(session: Session): Promise<MeasuredGpu[] | undefined> {
  try {
    return await measureMemory(session);
  } catch (error) {
    offerHelp(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function offerHelp(message: string): void {
  const restart = vscode.l10n.t('Restart');
  const doctor = vscode.l10n.t('Doctor');
  const log = vscode.l10n.t('Show Log');
  void vscode.window.showErrorMessage(`Monokernel: ${message}`, restart, doctor, log).then(async (answer) => {
    if (answer === restart) await vscode.commands.executeCommand('monokernel.restart');
    if (answer === doctor) await vscode.commands.executeCommand('monokernel.doctor');
    if (answer === log) await vscode.commands.executeCommand('monokernel.showLog');
  });
}
