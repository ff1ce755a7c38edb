import { LSPErrorCodes, ResponseError, type CancellationToken, type Connection } from 'vscode-languageserver/node';
import type { LanguageModel } from '../models/language_model';
import { ExplainDelta, ExplainRequest, type ExplainParams, type ExplainResult, type Settings } from '../protocol';
import { abortSignal } from '../abort_signal';
import { sendToClient } from '../client_messages';
import type { OpenDocuments } from '../open_documents';
import type { Reporter } from '../reporter';
import { DeltaBatcher } from './delta_batcher';
import type { Selection } from './explain_prompt';
import { explain } from './explanation';

/** What the feature needs of the server. */
export interface ExplainHost {
  documents: OpenDocuments;
  reporter: Reporter;
  model: () => LanguageModel | undefined;
  settings: () => Settings;
}

/** Answers `monokernel/explain`. */
export function registerExplain(connection: Connection, host: ExplainHost): void {
  connection.onRequest(ExplainRequest.method, async (params: ExplainParams, token: CancellationToken) => {
    try {
      return await answer(connection, host, params, token);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new ResponseError(LSPErrorCodes.RequestFailed, message);
    }
  });
}

async function answer(
  connection: Connection,
  host: ExplainHost,
  params: ExplainParams,
  token: CancellationToken,
): Promise<ExplainResult> {
  const selection = selected(host.documents, params);
  const model = host.model();
  if (!model) throw new Error('No model is loaded. See the status bar for the reason.');
  using batcher = new DeltaBatcher((delta) => {
    sendToClient(connection, ExplainDelta, { id: params.id, delta });
  });
  const { reporter } = host;
  const {
    speculation,
    explain: { maxTokens },
  } = host.settings();
  const result = await explain(model, selection, { maxTokens, speculation }, abortSignal(token), {
    started: () => {
      reporter.started();
    },
    ended: (promptTokens, outcome) => {
      reporter.ended('explain', promptTokens, outcome);
    },
    delta: (text) => {
      batcher.push(text);
    },
  });
  batcher.flush();
  return result;
}

function selected(documents: OpenDocuments, { textDocument, range }: ExplainParams): Selection {
  const document = documents.get(textDocument.uri);
  if (!document) throw new Error(`${textDocument.uri} is not open.`);
  const line = document.getText({ start: { line: range.start.line, character: 0 }, end: range.start });
  return { code: (line.trim() === '' ? line : '') + document.getText(range), languageId: document.languageId };
}
