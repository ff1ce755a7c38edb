/** The explanation's page: a read-only Markdown document of our own, shown by the editor's preview beside the code. */
import * as path from 'node:path';
import * as vscode from 'vscode';
import { escapeMarkdown } from '../markdown';
import type { Target } from './target';

const PAGE_SCHEME = 'monokernel-explanation';
const PREVIEW_EDITOR = 'vscode.markdown.preview.editor';
/** Longer selections are quoted by their first lines. */
const QUOTED_LINES = 24;

export class ExplanationPage implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #uri: vscode.Uri;
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #closed = new vscode.EventEmitter<void>();
  readonly #registrations: vscode.Disposable;
  #head = '';
  #body = vscode.l10n.t('Select code and choose *Monokernel: Explain Selection*.');
  #foot = '';

  readonly onDidChange = this.#changed.event;
  /** The person closed the page. */
  readonly onDidClose = this.#closed.event;

  constructor(scheme = PAGE_SCHEME) {
    this.#uri = vscode.Uri.from({ scheme, path: '/Explanation.md' });
    this.#registrations = vscode.Disposable.from(
      vscode.workspace.registerTextDocumentContentProvider(scheme, this),
      // The editor drops a change of a document that it is still opening (microsoft/vscode-extension-samples#1167). So
      // whenever it tells of the document, what it has is compared with what it should have.
      vscode.workspace.onDidOpenTextDocument((document) => {
        this.#catchUp(document);
      }),
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        this.#catchUp(document);
      }),
      vscode.window.tabGroups.onDidChangeTabs((event) => {
        if (event.closed.some((tab) => this.#isShownBy(tab)) && this.#tab() === undefined) this.#closed.fire();
      }),
      this.#changed,
      this.#closed,
    );
  }

  provideTextDocumentContent(): string {
    return [this.#head, this.#body, this.#foot].filter((part) => part !== '').join('\n\n');
  }

  /** Starts a new page for `target` and shows it beside the code, which keeps the focus. */
  async open(target: Target): Promise<void> {
    this.#head = heading(target);
    this.#body = '';
    this.foot(vscode.l10n.t('*Reading…*'));
    const viewColumn = this.#tab()?.group.viewColumn ?? vscode.ViewColumn.Beside;
    await vscode.commands.executeCommand('vscode.openWith', this.#uri, PREVIEW_EDITOR, {
      viewColumn,
      preserveFocus: true,
    });
  }

  append(delta: string): void {
    this.#body += delta;
    this.foot('');
  }

  replace(text: string): void {
    this.#body = text;
    this.foot('');
  }

  /** A remark below the text: what is going on, or how it ended. */
  foot(text: string): void {
    this.#foot = text;
    this.#changed.fire(this.#uri);
  }

  dispose(): void {
    this.#registrations.dispose();
  }

  #catchUp(document: vscode.TextDocument): void {
    if (document.uri.toString() !== this.#uri.toString()) return;
    if (document.getText() !== this.provideTextDocumentContent()) this.#changed.fire(this.#uri);
  }

  #tab(): vscode.Tab | undefined {
    return vscode.window.tabGroups.all.flatMap((group) => group.tabs).find((tab) => this.#isShownBy(tab));
  }

  #isShownBy({ input }: vscode.Tab): boolean {
    const uri = input instanceof vscode.TabInputCustom || input instanceof vscode.TabInputText ? input.uri : undefined;
    return uri?.toString() === this.#uri.toString();
  }
}

function heading({ document, range }: Target): string {
  const name = document.isUntitled ? document.fileName : path.basename(document.fileName);
  const [first, last] = [range.start.line + 1, range.end.line + 1];
  const where = first === last ? vscode.l10n.t('line {0}', first) : vscode.l10n.t('lines {0} to {1}', first, last);
  return `### ${escapeMarkdown(name)}, ${where}\n\n${fenced(quoted(document, range), document.languageId)}`;
}

/** The target's lines without the indentation that they share. */
function quoted(document: vscode.TextDocument, range: vscode.Range): string {
  const whole = new vscode.Range(new vscode.Position(range.start.line, 0), range.end);
  const isIndent = document.getText(new vscode.Range(whole.start, range.start)).trim() === '';
  const lines = document
    .getText(isIndent ? whole : range)
    .trimEnd()
    .split(/\r?\n/);
  const indents = lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length);
  const shared = Math.min(...indents);
  const shown = lines.slice(0, QUOTED_LINES).map((line) => line.slice(shared));
  return (lines.length > QUOTED_LINES ? [...shown, '…'] : shown).join('\n');
}

function fenced(code: string, languageId: string): string {
  const longest = Math.max(0, ...[...code.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(Math.max(3, longest + 1));
  return `${fence}${languageId}\n${code}\n${fence}`;
}
