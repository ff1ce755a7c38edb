import {
  InlineCompletionTriggerKind,
  type CancellationToken,
  type Connection,
  type InlineCompletionItem,
  type InlineCompletionParams,
} from 'vscode-languageserver/node';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { setTimeout as delay } from 'node:timers/promises';
import { abortSignal } from '../abort_signal';
import type { OpenDocuments, WorkspacePaths } from '../open_documents';
import { ACCEPTED_COMMAND, type Settings } from '../protocol';
import type { Reporter } from '../reporter';
import type { Completer } from './completer';
import { cursorContext, type CursorContext } from './cursor_context';
import { completionExtent, type Trigger } from './policy';
import { fitToDocument, type Completion } from './post_process';

/** What the feature needs of the server. */
export interface CompletionHost {
  documents: OpenDocuments;
  paths: WorkspacePaths;
  reporter: Reporter;
  settings: () => Settings;
  /** Undefined while no model is loaded. */
  completer: () => Completer | undefined;
}

/** Answers `textDocument/inlineCompletion`, and follows the documents that completions are written for. */
export function registerCompletion(connection: Connection, host: CompletionHost): void {
  connection.languages.inlineCompletion.on((params, token) => {
    const document = host.documents.get(params.textDocument.uri);
    const completer = host.completer();
    if (!document || !completer) return null;
    return complete(host, completer, contextOf(document, params, host.paths), params, token).catch((error: unknown) => {
      connection.console.error(`Completion failed: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    });
  });
  host.documents.onDidChangeContent(({ document }) => {
    host.completer()?.documentChanged(document.uri, document.getText());
  });
}

async function complete(
  host: CompletionHost,
  completer: Completer,
  context: CursorContext,
  params: InlineCompletionParams,
  token: CancellationToken,
): Promise<InlineCompletionItem[] | null> {
  const settings = host.settings();
  const trigger: Trigger = params.context.triggerKind === InlineCompletionTriggerKind.Invoked ? 'invoked' : 'automatic';
  const extent = completionExtent(context, settings, trigger);
  if (extent === undefined) return null;
  const started = performance.now();
  const signal = abortSignal(token);
  const {
    speculation,
    completion: { maxTokens },
  } = settings;
  const found = await completer.complete({ context, extent, maxTokens, speculation }, signal);
  const completion = found && fitToDocument(found.text, context, found.stream.whole);
  if (!completion) return null;
  if (!found.stream.offered) {
    const wait = trigger === 'automatic' ? settings.completion.showDelay - (performance.now() - started) : 0;
    if (wait > 0) await delay(wait);
    if (signal.aborted) return null;
    found.stream.offered = true;
    host.reporter.countOffered();
  }
  return [item(completion, context, params)];
}

/** The document as it is now; with the suggest widget's selected item in place, which ghost text has to go on from. */
function contextOf(document: TextDocument, params: InlineCompletionParams, paths: WorkspacePaths): CursorContext {
  const text = document.getText();
  const identity = { uri: document.uri, path: paths.relative(document.uri), languageId: document.languageId };
  const selected = params.context.selectedCompletionInfo;
  if (!selected) {
    const offset = document.offsetAt(params.position);
    return cursorContext(identity, text.slice(0, offset), text.slice(offset));
  }
  const before = text.slice(0, document.offsetAt(selected.range.start)) + selected.text;
  return cursorContext(identity, before, text.slice(document.offsetAt(selected.range.end)));
}

/** Replaces from the start of the line, so that editors do not move the ghost text while one types or accepts a word. */
function item(completion: Completion, context: CursorContext, params: InlineCompletionParams): InlineCompletionItem {
  const { line, character } = params.context.selectedCompletionInfo?.range.end ?? params.position;
  const end = { line, character: character + completion.swallowed };
  return {
    insertText: context.linePrefix + completion.text,
    range: { start: { line, character: 0 }, end },
    command: { title: 'Completion accepted', command: ACCEPTED_COMMAND },
  };
}
