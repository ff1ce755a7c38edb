/** The panel that shows the topology: one, asked anew each time the command runs. */
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { TopologyRequest } from '../../../lsp-server/protocol';
import type { TopologyResult } from '../../../lsp-server/protocol';
import type { Session } from '../client/session';
import { messageHtml, topologyHtml } from './topologyHtml';

const VIEW_TYPE = 'monokernel.topology';

export class TopologyPage implements vscode.Disposable {
  #panel: vscode.WebviewPanel | undefined;

  constructor(private readonly session: Session) {}

  /** Shows the page and resolves with its HTML, or with undefined when it was closed meanwhile. */
  async show(): Promise<string | undefined> {
    const source = new vscode.CancellationTokenSource();
    const panel = this.#open();
    const closed = panel.onDidDispose(() => {
      source.cancel();
    });
    const nonce = randomBytes(16).toString('base64');
    if (panel.webview.html === '') panel.webview.html = messageHtml(vscode.l10n.t('Looking at the machine…'), nonce);
    try {
      await this.session.started(source.token);
      const box = await this.session.request<TopologyResult>(TopologyRequest.method, {}, source.token);
      if (source.token.isCancellationRequested) return undefined;
      panel.webview.html = topologyHtml(box, nonce);
      return panel.webview.html;
    } catch (error) {
      if (source.token.isCancellationRequested) return undefined;
      panel.webview.html = messageHtml(error instanceof Error ? error.message : String(error), nonce);
      return panel.webview.html;
    } finally {
      closed.dispose();
      source.dispose();
    }
  }

  dispose(): void {
    this.#panel?.dispose();
  }

  #open(): vscode.WebviewPanel {
    if (this.#panel !== undefined) {
      this.#panel.reveal();
      return this.#panel;
    }
    const title = vscode.l10n.t('Monokernel Topology');
    const panel = vscode.window.createWebviewPanel(VIEW_TYPE, title, vscode.ViewColumn.Active, {
      enableScripts: false,
      enableFindWidget: true,
      localResourceRoots: [],
    });
    panel.onDidDispose(() => {
      this.#panel = undefined;
    });
    this.#panel = panel;
    return panel;
  }
}
