/** The doctor's report as a read-only document, asked anew each time the command runs. */
import { existsSync } from 'node:fs';
import * as vscode from 'vscode';
import { TopologyRequest } from '../../../lsp-server/protocol';
import type { TopologyResult } from '../../../lsp-server/protocol';
import { reportOf } from '../../../lsp-server/topology/report';
import type { Paths } from '../client/languageClient';
import type { Session } from '../client/session';
import { within } from '../client/within';
import { troubleReport } from './trouble';

const SCHEME = 'monokernel-doctor';
/** Its name makes it the language `monokernel-report`, which wraps long lines (package.json). */
const PAGE = vscode.Uri.from({ scheme: SCHEME, path: '/Monokernel Doctor' });

/** A start, and a look, which itself gives up after half a minute. */
const LIMIT_MS = 60_000;

export class DoctorPage implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #registrations: vscode.Disposable;
  #text = '';

  readonly onDidChange = this.#changed.event;

  constructor(
    private readonly session: Session,
    private readonly paths: Paths,
    private readonly version: string,
  ) {
    const provider = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
    this.#registrations = vscode.Disposable.from(provider, this.#changed);
  }

  provideTextDocumentContent(): string {
    return this.#text;
  }

  /** Opens the page, asks the server, and resolves with the report: one of what failed if there is no answer. */
  async show(): Promise<string> {
    this.#write(vscode.l10n.t('Looking at the machine…'));
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(PAGE), { preview: false });
    const report = await this.#report();
    this.#write(report);
    return report;
  }

  dispose(): void {
    this.#registrations.dispose();
  }

  #write(text: string): void {
    this.#text = text;
    this.#changed.fire(PAGE);
  }

  async #report(): Promise<string> {
    const source = new vscode.CancellationTokenSource();
    const silence = vscode.l10n.t('The language server gave no answer within {0} seconds.', LIMIT_MS / 1000);
    try {
      return reportOf(await within(LIMIT_MS, this.#ask(source.token), silence));
    } catch (error) {
      return troubleReport({
        version: this.version,
        reason: error instanceof Error ? error.message : String(error),
        lastEnd: this.session.lastEnd,
        missing: Object.values(this.paths).filter((file: string) => !existsSync(file)),
      });
    } finally {
      source.cancel();
      source.dispose();
    }
  }

  async #ask(token: vscode.CancellationToken): Promise<TopologyResult> {
    await this.session.started(token);
    return this.session.request<TopologyResult>(TopologyRequest.method, {}, token);
  }
}
