import { createConnection } from 'vscode-languageserver/node';
import { loadEngine } from './engine/native';
import { probeAddon } from './engine/probe';
import { startServer } from './language_server';

/** The language server as a process: `--node-ipc` or `--stdio`, as LSP clients start it. */
const connection = createConnection();

startServer(connection, {
  loadEngine: async ({ addon, folder, options, onProgress }) => {
    await probeAddon(addon);
    return loadEngine(addon, folder, options, onProgress);
  },
});
connection.listen();
