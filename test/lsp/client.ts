import { setTimeout as delay } from 'node:timers/promises';
import { CancellationTokenSource, type CancellationToken, type MessageConnection } from 'vscode-jsonrpc/node';
import type { InlineCompletionItem, Position } from 'vscode-languageserver-types';
import type {
  ExplainDeltaParams,
  ExplainParams,
  ExplainResult,
  InitializationOptions,
  StatsParams,
  StatusParams,
} from '../../lsp-server/protocol';

export type DeepPartial<Value> = Value extends object ? { [Key in keyof Value]?: DeepPartial<Value[Key]> } : Value;
/** Ghost text as our server sends it. */
export type GhostText = InlineCompletionItem & { insertText: string };
export type SentSettings = DeepPartial<InitializationOptions['settings']>;

/** Longest that a test waits for anything, in milliseconds. */
const patience = 60_000;

/** An editor as far as the server can tell: one that speaks JSON-RPC over any transport. */
export class TestClient {
  readonly statuses: (StatusParams & { at: number })[] = [];
  readonly stats: (StatsParams & { at: number })[] = [];
  readonly deltas: (ExplainDeltaParams & { at: number })[] = [];
  readonly logged: string[] = [];
  private readonly versions = new Map<string, number>();
  private changed: () => void = () => undefined;

  /** `processId` is what the server watches; null for none. */
  constructor(
    readonly connection: MessageConnection,
    private readonly processId: number | null,
  ) {
    connection.onNotification('monokernel/status', (params: StatusParams) => {
      this.record(this.statuses, params);
    });
    connection.onNotification('monokernel/stats', (params: StatsParams) => {
      this.record(this.stats, params);
    });
    connection.onNotification('monokernel/explainDelta', (params: ExplainDeltaParams) => {
      this.record(this.deltas, params);
    });
    connection.onNotification('window/logMessage', ({ message }: { message: string }) => {
      this.logged.push(message);
    });
    connection.listen();
  }

  async initialize(options: { defaultModel: string; addon: string; settings?: SentSettings }): Promise<unknown> {
    const result = await this.connection.sendRequest('initialize', {
      processId: this.processId,
      rootUri: null,
      workspaceFolders: [{ uri: 'file:///work', name: 'work' }],
      capabilities: {},
      initializationOptions: { settings: {}, ...options },
    });
    await this.connection.sendNotification('initialized', {});
    return result;
  }

  async configure(settings: SentSettings): Promise<void> {
    await this.connection.sendNotification('workspace/didChangeConfiguration', { settings: { monokernel: settings } });
  }

  async open(uri: string, text: string, languageId = 'typescript'): Promise<void> {
    this.versions.set(uri, 1);
    await this.connection.sendNotification('textDocument/didOpen', {
      textDocument: { uri, languageId, version: 1, text },
    });
  }

  /** Inserts text at a position. */
  async insert(uri: string, position: Position, text: string): Promise<void> {
    const version = (this.versions.get(uri) ?? 0) + 1;
    this.versions.set(uri, version);
    await this.connection.sendNotification('textDocument/didChange', {
      textDocument: { uri, version },
      contentChanges: [{ range: { start: position, end: position }, text }],
    });
  }

  /** Asks for ghost text; gives the only item, or undefined. */
  async complete(
    uri: string,
    position: Position,
    options: { invoked?: boolean; token?: CancellationToken; selected?: object } = {},
  ): Promise<GhostText | undefined> {
    const context = {
      triggerKind: options.invoked ? 1 : 2,
      ...(options.selected ? { selectedCompletionInfo: options.selected } : {}),
    };
    const params = { textDocument: { uri }, position, context };
    const token = options.token ?? new CancellationTokenSource().token;
    const items = await this.connection.sendRequest<GhostText[] | null>('textDocument/inlineCompletion', params, token);
    return items?.[0];
  }

  async explain(params: ExplainParams, token = new CancellationTokenSource().token): Promise<ExplainResult> {
    return this.connection.sendRequest<ExplainResult>('monokernel/explain', params, token);
  }

  private record<Params>(into: (Params & { at: number })[], params: Params): void {
    into.push({ ...params, at: performance.now() });
    this.changed();
  }

  /** Waits until something that notifications tell is so. */
  async until<Result>(what: string, probe: () => Result | undefined | false): Promise<Result> {
    const giveUp = AbortSignal.timeout(patience);
    for (;;) {
      const result = probe();
      if (result !== undefined && result !== false) return result;
      if (giveUp.aborted)
        throw new Error(`Waited in vain for ${what}. Last status: ${JSON.stringify(this.statuses.at(-1))}`);
      await Promise.race([delay(50), new Promise<void>((resolve) => (this.changed = resolve))]);
    }
  }

  /** Waits for a state, looking at what comes from now on and at the last one. */
  async state(state: StatusParams['state']): Promise<StatusParams> {
    const from = Math.max(0, this.statuses.length - 1);
    return this.until(`state ${state}`, () => this.statuses.slice(from).find((status) => status.state === state));
  }
}
