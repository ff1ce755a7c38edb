/** Activation: puts the parts together. The server starts with the first document that wants completions. */
import * as vscode from 'vscode';
import { extensionPaths, SCHEMES } from './client/languageClient';
import { Session } from './client/session';
import { registerCommands } from './commands/commands';
import { completionMiddleware } from './completion/middleware';
import { refusal } from './completion/policy';
import { Snooze } from './completion/snooze';
import { DoctorPage } from './doctor/doctorPage';
import { registerExplainAction } from './explain/codeAction';
import { Explainer } from './explain/explainer';
import { readSettings } from './settings/settings';
import { registerNotices } from './status/notices';
import { StatusBar } from './status/statusBar';
import { TopologyPage } from './topology/topologyPage';

/** What other extensions, and tests, can read. */
export interface MonokernelApi {
  readonly statusBar: { readonly text: string; readonly tooltip: string };
}

let session: Session | undefined;

export function activate(context: vscode.ExtensionContext): MonokernelApi {
  const log = vscode.window.createOutputChannel('Monokernel', { log: true });
  const snooze = new Snooze();
  const paths = extensionPaths(context);
  const running = new Session(paths, log, completionMiddleware(snooze));
  const explainer = new Explainer(running);
  const topology = new TopologyPage(running);
  const doctor = new DoctorPage(running, paths, versionOf(context));
  const statusBar = new StatusBar(running, snooze, explainer);
  session = running;
  context.subscriptions.push(
    log,
    snooze,
    running,
    explainer,
    topology,
    doctor,
    statusBar,
    registerCommands({ session: running, snooze, explainer, topology, doctor, statusBar, log }),
    registerExplainAction(),
    registerNotices(running),
    wakeOnDemand(running),
  );
  return { statusBar };
}

export async function deactivate(): Promise<void> {
  await session?.stop();
}

function versionOf({ extension }: vscode.ExtensionContext): string {
  return (extension.packageJSON as { version: string }).version;
}

/** Starts the server once an editor shows a document that completions are on for. */
function wakeOnDemand(running: Session): vscode.Disposable {
  const look = (): void => {
    const settings = readSettings();
    const isWanted = vscode.window.visibleTextEditors.some(
      ({ document }) =>
        SCHEMES.includes(document.uri.scheme) && refusal(settings, document.languageId, false) === undefined,
    );
    if (isWanted) running.wake();
  };
  look();
  return vscode.Disposable.from(
    vscode.window.onDidChangeVisibleTextEditors(look),
    vscode.workspace.onDidOpenTextDocument(look),
    vscode.workspace.onDidChangeConfiguration(look),
  );
}
