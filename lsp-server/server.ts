import { createConnection } from 'vscode-languageserver/node';
import { calibrateGpus, probeAddon } from './engine/probe';
import { nativeLoader } from './engine_loader';
import { startServer } from './language_server';

/** The language server as a process: `--node-ipc` or `--stdio`, as LSP clients start it. */
const connection = createConnection();
startServer(connection, { loadEngine: nativeLoader, probe: probeAddon, measure: calibrateGpus });
connection.listen();
