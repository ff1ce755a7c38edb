/** Runs one explanation at a time: asks the server, streams what comes into the page, stops when told to. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { ExplainRequest } from '../../../lsp-server/protocol';
import type { ExplainParams, ExplainResult } from '../../../lsp-server/protocol';
import type { Session } from '../client/session';
import { ExplanationPage } from './page';
import type { Target } from './target';

/** True while an explanation runs: shows the stop button. */
const RUNNING_KEY = 'monokernel.explaining';

interface Run {
  id: string;
  source: vscode.CancellationTokenSource;
}

export class Explainer implements vscode.Disposable {
  readonly #page = new ExplanationPage();
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #registrations: vscode.Disposable;
  #run: Run | undefined;

  readonly onDidChange = this.#changed.event;

  constructor(private readonly session: Session) {
    this.#registrations = vscode.Disposable.from(
      this.#page,
      this.#changed,
      session.onExplainDelta(({ id, delta }) => {
        if (id === this.#run?.id) this.#page.append(delta);
      }),
      this.#page.onDidClose(() => {
        this.stop();
      }),
    );
  }

  get running(): boolean {
    return this.#run !== undefined;
  }

  /** Explains `target` and resolves with the page's text at the end; a run under way is stopped first. */
  async explain(target: Target): Promise<string> {
    this.stop();
    const run: Run = { id: randomUUID(), source: new vscode.CancellationTokenSource() };
    this.#setRun(run);
    try {
      await this.#page.open(target);
      await this.session.ready(run.source.token);
      const result = await this.session.request<ExplainResult>(
        ExplainRequest.method,
        explainParams(run.id, target),
        run.source.token,
      );
      if (run === this.#run) this.#finish(result);
    } catch (error) {
      // Stopped or followed by another one: whatever the request ended with is no longer this page's.
      if (run === this.#run) {
        this.#page.foot(failure(error));
        throw error;
      }
    } finally {
      run.source.dispose();
      if (run === this.#run) this.#setRun(undefined);
    }
    return this.#page.provideTextDocumentContent();
  }

  /** Stops what runs. The page says so at once; the server frees its engine within a token. */
  stop(): void {
    if (this.#run === undefined) return;
    this.#run.source.cancel();
    this.#page.foot(STOPPED());
    this.#setRun(undefined);
  }

  dispose(): void {
    this.stop();
    this.#registrations.dispose();
  }

  #finish(result: ExplainResult): void {
    this.#page.replace(result.text);
    if (result.text.trim() === '') this.#page.foot(vscode.l10n.t('*The model has nothing to say about this.*'));
    else if (result.stopped === 'limit')
      this.#page.foot(vscode.l10n.t('*Cut off at the longest allowed explanation.*'));
    else if (result.stopped === 'cancelled') this.#page.foot(STOPPED());
  }

  #setRun(run: Run | undefined): void {
    this.#run = run;
    void vscode.commands.executeCommand('setContext', RUNNING_KEY, run !== undefined);
    this.#changed.fire();
  }
}

const STOPPED = (): string => vscode.l10n.t('*Stopped.*');

function failure(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return vscode.l10n.t('**No explanation:** {0}', reason);
}

function explainParams(id: string, { document, range }: Target): ExplainParams {
  return {
    id,
    textDocument: { uri: document.uri.toString() },
    range: {
      start: { line: range.start.line, character: range.start.character },
      end: { line: range.end.line, character: range.end.character },
    },
  };
}
