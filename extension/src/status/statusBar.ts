/** The one status bar item: gathers the facts, shows their view, follows the active editor. */
import * as vscode from 'vscode';
import { SCHEMES } from '../client/languageClient';
import type { Session } from '../client/session';
import { refusal } from '../completion/policy';
import type { Snooze } from '../completion/snooze';
import type { Explainer } from '../explain/explainer';
import { readSettings } from '../settings/settings';
import { tooltipOf } from './tooltip';
import { viewOf } from './view';
import type { Facts } from './view';

/** A completion that takes less than this is not worth a spinner. */
const BUSY_AFTER_MS = 200;

export class StatusBar implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem('status', vscode.StatusBarAlignment.Right, 100);
  readonly #registrations: vscode.Disposable;
  #busy = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly session: Session,
    private readonly snooze: Snooze,
    private readonly explainer: Explainer,
  ) {
    this.#item.name = 'Monokernel';
    this.#item.command = 'monokernel.showMenu';
    const show = (): void => {
      this.#show();
    };
    this.#registrations = vscode.Disposable.from(
      this.#item,
      session.onDidChange(show),
      snooze.onDidChange(show),
      explainer.onDidChange(show),
      vscode.window.onDidChangeActiveTextEditor(show),
      vscode.workspace.onDidChangeConfiguration(show),
    );
    this.#show();
    this.#item.show();
  }

  /** What the item says now, for those who cannot see it. */
  get text(): string {
    return this.#item.text;
  }

  get tooltip(): string {
    return this.#item.tooltip instanceof vscode.MarkdownString ? this.#item.tooltip.value : (this.#item.tooltip ?? '');
  }

  facts(): Facts {
    const { phase, status, stats } = this.session;
    const document = vscode.window.activeTextEditor?.document;
    const isCode = document !== undefined && SCHEMES.includes(document.uri.scheme);
    const settings = readSettings();
    const language = isCode ? document.languageId : undefined;
    const refused =
      language === undefined ? refusalWithoutEditor(settings.enable) : refusal(settings, language, this.snooze.active);
    return { phase, status, stats, refusal: refused, language, explaining: this.explainer.running, busy: this.#busy };
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#registrations.dispose();
  }

  #show(): void {
    this.#followGenerating();
    const facts = this.facts();
    const view = viewOf(facts);
    this.#item.text = view.text;
    this.#item.tooltip = tooltipOf(facts, view);
    this.#item.accessibilityInformation = { label: `Monokernel. ${view.summary}`, role: 'button' };
    this.#item.backgroundColor =
      view.severity === 'error' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
  }

  #followGenerating(): void {
    if (this.session.status?.state !== 'generating') {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#busy = false;
    } else {
      this.#timer ??= setTimeout(() => {
        this.#busy = true;
        this.#show();
      }, BUSY_AFTER_MS);
    }
  }
}

function refusalWithoutEditor(enabled: boolean): 'off' | undefined {
  return enabled ? undefined : 'off';
}
