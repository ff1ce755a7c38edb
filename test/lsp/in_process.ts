import { PassThrough } from 'node:stream';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node';
import { createConnection } from 'vscode-languageserver/node';
import { startServer, type Dependencies } from '../../lsp-server/language_server';
import type { EngineLoader } from '../../lsp-server/model_host';
import type { Probe } from '../../lsp-server/topology/look';
import { TestClient } from './client';

const noProbe: Probe = () => Promise.reject(new Error('this test has no machine'));

/** The server in this process with an engine and a machine of the test's choice, over a real JSON-RPC connection. */
export function serverInProcess(
  loadEngine: EngineLoader,
  probe = noProbe,
  measure: Dependencies['measure'] = () => Promise.resolve([]),
): TestClient {
  const toServer = new PassThrough();
  const toClient = new PassThrough();
  const server = createConnection(toServer, toClient);
  startServer(server, { loadEngine, probe, measure });
  server.listen();
  return new TestClient(
    createMessageConnection(new StreamMessageReader(toClient), new StreamMessageWriter(toServer)),
    null,
  );
}
