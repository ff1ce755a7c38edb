/**
 * The server's life as the extension sees it: started with the first document that wants it, restarted with back-off when
 * it dies, stopped with the editor. Each start is a fresh client; what it last said about itself is kept here.
 */
import * as vscode from 'vscode';
import { DidChangeConfigurationNotification, State } from 'vscode-languageclient/node';
import type { Middleware } from 'vscode-languageclient/node';
import { ExplainDelta, Stats, Status } from '../../../lsp-server/protocol';
import type { ExplainDeltaParams, StatsParams, StatusParams } from '../../../lsp-server/protocol';
import { readSettings, SECTION } from '../settings/settings';
import { createClient } from './languageClient';
import type { Paths, ServerClient } from './languageClient';
import { RestartPolicy } from './restartPolicy';
import { within } from './within';

/** `idle`: not wanted yet; `waiting`: died, comes back by itself; `stopped`: died too often, waits for the person. */
export type Phase = 'idle' | 'starting' | 'running' | 'waiting' | 'stopped';

/** The server cannot answer now; the message is for people. */
export class ServerUnavailableError extends Error {
  override readonly name = 'ServerUnavailableError';
}

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 2_000;
const EXIT_LIMIT_MS = 1_000;

export class Session implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #died = new vscode.EventEmitter<{ reason: string; restarts: boolean; first: boolean }>();
  readonly #delta = new vscode.EventEmitter<ExplainDeltaParams>();
  readonly #policy = new RestartPolicy();
  readonly #subscriptions: { dispose(): unknown }[] = [this.#changed, this.#died, this.#delta];
  #client: ServerClient | undefined;
  #phase: Phase = 'idle';
  #status: StatusParams | undefined;
  #stats: StatsParams | undefined;
  #lastEnd: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Starts and stops, one after the other. */
  #work: Promise<void> = Promise.resolve();

  /** The phase, the status or the figures changed. */
  readonly onDidChange = this.#changed.event;
  /** The server stopped by itself. */
  readonly onDidDie = this.#died.event;
  readonly onExplainDelta = this.#delta.event;

  constructor(
    private readonly paths: Paths,
    private readonly log: vscode.LogOutputChannel,
    private readonly middleware: Middleware,
  ) {
    this.#subscriptions.push(
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(SECTION)) this.#sendSettings();
      }),
    );
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** What the server last said of itself; undefined while it does not run. */
  get status(): StatusParams | undefined {
    return this.#status;
  }

  /** The last request's figures, kept over a restart. */
  get stats(): StatsParams | undefined {
    return this.#stats;
  }

  /** How the server last ended by itself, in words; undefined while it never did. */
  get lastEnd(): string | undefined {
    return this.#lastEnd;
  }

  /** Starts the server if nobody wanted it before. */
  wake(): void {
    if (this.#phase === 'idle') this.#enqueue(() => this.#start());
  }

  /** Stops the server if it runs and starts it anew. */
  async restart(): Promise<void> {
    this.#policy.reset();
    this.#enqueue(async () => {
      await this.#stop();
      await this.#start();
    });
    await this.#work;
  }

  /** Resolves when the model is ready; rejects with ServerUnavailableError when it will not be, or on cancellation. */
  async ready(token: vscode.CancellationToken): Promise<void> {
    await this.#until(token, () => {
      if (this.#status?.state === 'error') throw new ServerUnavailableError(this.#status.message);
      return this.#status?.state === 'ready' || this.#status?.state === 'generating';
    });
  }

  /** Resolves when the server answers requests, whatever its model does; rejects like `ready`. */
  async started(token: vscode.CancellationToken): Promise<void> {
    await this.#until(token, () => this.#phase === 'running');
  }

  /** Sends a request of our own. By method, since client and protocol come with different versions of vscode-jsonrpc. */
  async request<Result>(method: string, params: object, token: vscode.CancellationToken): Promise<Result> {
    if (this.#client === undefined || this.#phase !== 'running') {
      throw new ServerUnavailableError(vscode.l10n.t('The language server does not run.'));
    }
    return this.#client.sendRequest<Result>(method, params, token);
  }

  /** Ends the server with the editor. */
  async stop(): Promise<void> {
    this.#enqueue(() => this.#stop());
    await this.#work;
  }

  dispose(): void {
    clearTimeout(this.#timer);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** Wakes the server and waits until `isSo`, which may throw to give up. */
  async #until(token: vscode.CancellationToken, isSo: () => boolean): Promise<void> {
    this.wake();
    const listeners: vscode.Disposable[] = [];
    try {
      await new Promise<void>((resolve, reject) => {
        const look = (): void => {
          try {
            if (isSo()) resolve();
            else if (this.#phase === 'stopped')
              reject(new ServerUnavailableError(vscode.l10n.t('The language server is stopped: restart it first.')));
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        };
        const cancelled = (): void => {
          reject(new vscode.CancellationError());
        };
        listeners.push(this.onDidChange(look), token.onCancellationRequested(cancelled));
        if (token.isCancellationRequested) cancelled();
        look();
      });
    } finally {
      vscode.Disposable.from(...listeners).dispose();
    }
  }

  #enqueue(step: () => Promise<void>): void {
    clearTimeout(this.#timer);
    this.#work = this.#work.then(step).catch((error: unknown) => {
      this.log.error(error instanceof Error ? error : String(error));
    });
  }

  async #start(): Promise<void> {
    const closed = (): void => {
      void this.#closed(client);
    };
    const client = createClient({
      paths: this.paths,
      settings: readSettings(),
      log: this.log,
      middleware: this.middleware,
      onClosed: closed,
    });
    client.onNotification(Status.method, (status: StatusParams) => {
      if (client !== this.#client) return;
      this.#log(status);
      this.#status = status;
      this.#changed.fire();
    });
    client.onNotification(Stats.method, (stats: StatsParams) => {
      this.#stats = withFigures(stats, this.#stats);
      this.#changed.fire();
    });
    client.onNotification(ExplainDelta.method, (delta: ExplainDeltaParams) => {
      this.#delta.fire(delta);
    });
    this.#client = client;
    this.log.info(`starting ${this.paths.server}`);
    this.#enter('starting');
    try {
      await within(START_LIMIT_MS, client.start(), 'the language server did not answer within a minute');
      if (client === this.#client) this.#enter('running');
    } catch (error) {
      this.log.error(error instanceof Error ? error : String(error));
      client.kill();
      await this.#closed(client);
    }
  }

  async #stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#enter('idle');
    if (client === undefined) return;
    try {
      if (client.state !== State.Stopped) await client.dispose(STOP_LIMIT_MS);
    } catch (error) {
      this.log.warn(`stopping the server: ${error instanceof Error ? error.message : String(error)}`);
      client.kill();
    }
  }

  /** The connection of `client` closed by itself, or its start failed: decides once whether another one follows. */
  async #closed(client: ServerClient): Promise<void> {
    if (client !== this.#client) return;
    this.#client = undefined;
    this.#status = undefined;
    const reason = await exitReason(client);
    this.#lastEnd = reason;
    const restart = this.#policy.stopped(Date.now());
    this.log.warn(`the language server stopped: ${reason}`);
    if (restart === undefined) {
      this.#enter('stopped');
    } else {
      this.#enter('waiting');
      this.#timer = setTimeout(() => {
        this.#enqueue(() => this.#start());
      }, restart.delay);
    }
    this.#died.fire({ reason, restarts: restart !== undefined, first: restart?.first ?? false });
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    if (phase !== 'running') this.#status = undefined;
    this.#changed.fire();
  }

  /** Writes what is new in a status: the model that is ready, or what is wrong. Never text of a document. */
  #log(status: StatusParams): void {
    for (const warning of status.warnings ?? []) {
      if (this.#status?.warnings?.includes(warning) !== true) this.log.warn(warning);
    }
    if (status.state === this.#status?.state && status.message === this.#status.message) return;
    if (status.state === 'error') this.log.error(status.message ?? 'the model could not be loaded');
    else if (status.state === 'ready' && this.#status?.state === 'loading') {
      const reason = status.reason === undefined ? '' : ` (${status.reason})`;
      this.log.info(`${status.model ?? 'the model'} is ready on ${status.engine ?? 'an engine'}${reason}`);
    } else this.log.debug(status.state);
  }

  #sendSettings(): void {
    if (this.#phase !== 'running') return;
    const settings = { [SECTION]: readSettings() };
    this.#client?.sendNotification(DidChangeConfigurationNotification.type, { settings }).catch((error: unknown) => {
      this.log.error(`sending the settings: ${String(error)}`);
    });
  }
}

/** The newest counts. A request that was cancelled before it decoded has no rate: then the figures before it stay. */
function withFigures(newest: StatsParams, before: StatsParams | undefined): StatsParams | undefined {
  if (newest.decodeRate > 0) return newest;
  return before && { ...before, offered: newest.offered, accepted: newest.accepted };
}

/** How the server's process ended, in words; waits a moment for it, since the connection closes first. */
async function exitReason(client: ServerClient): Promise<string> {
  await within(EXIT_LIMIT_MS, client.exited(), '').catch(() => undefined);
  if (client.end === undefined) return vscode.l10n.t('it closed the connection');
  return typeof client.end === 'number'
    ? vscode.l10n.t('exit code {0}', client.end)
    : vscode.l10n.t('signal {0}', client.end);
}
