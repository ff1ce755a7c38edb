import { PassThrough } from 'node:stream';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node';
import { createConnection } from 'vscode-languageserver/node';
import { startServer } from '../../lsp-server/language_server';
import type { EngineLoader } from '../../lsp-server/model_host';
import { TestClient } from './client';

/** The server in this process with an engine of the test's choice, over a real JSON-RPC connection. */
export function serverInProcess(loadEngine: EngineLoader): TestClient {
  const toServer = new PassThrough();
  const toClient = new PassThrough();
  const server = createConnection(toServer, toClient);
  startServer(server, { loadEngine });
  server.listen();
  return new TestClient(
    createMessageConnection(new StreamMessageReader(toClient), new StreamMessageWriter(toServer)),
    null,
  );
}
