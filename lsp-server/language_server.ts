import { TextDocuments, TextDocumentSyncKind, type Connection } from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { sendToClient } from './client_messages';
import { Completer } from './completion/completer';
import { registerCompletion } from './completion/completion_feature';
import { registerExplain } from './explain/explain_feature';
import { ModelHost, type EngineLoader } from './model_host';
import { isObject } from './models/json';
import { WorkspacePaths } from './open_documents';
import {
  ACCEPTED_COMMAND,
  Stats,
  Status,
  type InitializationOptions,
  type MeasuredGpu,
  type Settings,
} from './protocol';
import { Reporter } from './reporter';
import { needsReload, readSettings, settingProblems } from './settings';
import { lookAtMachine, type Probe } from './topology/look';
import { registerMeasureMemory } from './topology/measure_feature';
import { registerTopology } from './topology/topology_feature';

export interface Dependencies {
  loadEngine: EngineLoader;
  probe: Probe;
  /** Measures the GPUs' memory with nothing else on them: `calibrateGpus` in the product. */
  measure: (addon: string, signal: AbortSignal) => Promise<MeasuredGpu[]>;
}

/** Wires the features to a connection. The caller calls `connection.listen()`. */
export function startServer(connection: Connection, dependencies: Dependencies): void {
  const documents = new TextDocuments(TextDocument);
  const paths = new WorkspacePaths();
  const reporter = new Reporter({
    status: (params) => {
      sendToClient(connection, Status, params);
    },
    stats: (params) => {
      sendToClient(connection, Stats, params);
    },
  });
  let settings: Settings = readSettings(undefined);
  let places = { addon: '', defaultModel: '' };
  let host: ModelHost | undefined;
  let completer: Completer | undefined;
  let state = '';
  let tellsFolders = false;

  connection.onInitialize(({ initializationOptions, workspaceFolders, capabilities }) => {
    const options = readInitializationOptions(initializationOptions);
    const { problems, ...read } = options;
    ({ settings, ...places } = read);
    reporter.setProblems(problems);
    paths.set(workspaceFolders ?? []);
    tellsFolders = capabilities.workspace?.workspaceFolders === true;
    host = new ModelHost(
      options,
      dependencies.loadEngine,
      (status) => {
        ({ state } = status);
        reporter.setState(status);
      },
      (model) => {
        completer?.dispose();
        completer = model && new Completer(model, completionObserver(reporter));
      },
    );
    return {
      serverInfo: { name: 'monokernel' },
      capabilities: {
        textDocumentSync: TextDocumentSyncKind.Incremental,
        inlineCompletionProvider: true,
        executeCommandProvider: { commands: [ACCEPTED_COMMAND] },
        workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
      },
    };
  });
  connection.onInitialized(() => {
    if (tellsFolders) paths.follow(connection);
    void host?.load(settings);
  });
  connection.onDidChangeConfiguration((change) => {
    const before = settings;
    settings = readSettings(change.settings);
    reporter.setProblems(settingProblems(change.settings));
    if (needsReload(before, settings) || state === 'error') void host?.load(settings);
    else if (before.speculation !== settings.speculation) void host?.retell(settings);
  });
  connection.onExecuteCommand(({ command }) => {
    if (command === ACCEPTED_COMMAND) reporter.countAccepted();
    return null;
  });
  const ending = new AbortController();
  connection.onShutdown(async () => {
    ending.abort();
    await host?.dispose();
    reporter[Symbol.dispose]();
  });
  registerCompletion(connection, { documents, paths, reporter, settings: () => settings, completer: () => completer });
  registerExplain(connection, { documents, reporter, model: () => host?.current, settings: () => settings });
  registerTopology(connection, () =>
    lookAtMachine({ places, settings, running: host?.current?.engine.model, probe: dependencies.probe }),
  );
  registerMeasureMemory(connection, async (signal) => {
    const stop = AbortSignal.any([signal, ending.signal]);
    return (
      (await host?.apart(
        () => settings,
        () => dependencies.measure(places.addon, stop),
      )) ?? []
    );
  });
  documents.listen(connection);
}

function completionObserver(reporter: Reporter): ConstructorParameters<typeof Completer>[1] {
  return {
    started: () => {
      reporter.started();
    },
    ended: (promptTokens, outcome) => {
      reporter.ended('completion', promptTokens, outcome);
    },
  };
}

function readInitializationOptions(sent: unknown): InitializationOptions & { problems: string[] } {
  const options = isObject(sent) ? sent : {};
  const text = (key: string): string => (typeof options[key] === 'string' ? options[key] : '');
  return {
    settings: readSettings(options['settings']),
    problems: settingProblems(options['settings']),
    defaultModel: text('defaultModel'),
    addon: text('addon'),
  };
}
