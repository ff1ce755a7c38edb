/** One run of the language server: a process of its own, reached over IPC. Nothing here restarts it; `session.ts` does. */
import type { ChildProcess } from 'node:child_process';
import * as path from 'node:path';
import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  TransportKind,
} from 'vscode-languageclient/node';
import type { MessageTransports, Middleware } from 'vscode-languageclient/node';
import type { InitializationOptions, Settings } from '../../../lsp-server/protocol';

/** Where the parts of the extension lie; absolute paths. */
export interface Paths {
  server: string;
  addon: string;
  defaultModel: string;
}

export interface ClientOptions {
  paths: Paths;
  settings: Settings;
  log: vscode.LogOutputChannel;
  middleware: Middleware;
  /** The connection is gone although nobody asked for it. */
  onClosed: () => void;
}

/** Documents in these schemes are sent to the server: what a person edits, wherever it is kept. */
export const SCHEMES = ['file', 'untitled', 'vscode-vfs', 'vscode-notebook-cell'];

export function extensionPaths(context: vscode.ExtensionContext): Paths {
  return {
    server: context.asAbsolutePath(path.join('dist', 'server.js')),
    addon: context.asAbsolutePath(
      path.join('native', 'prebuilds', `${process.platform}-${process.arch}`, 'monokernel.node'),
    ),
    defaultModel: context.asAbsolutePath(path.join('models', 'laneformer-nano')),
  };
}

/** The client of one server process; remembers how that ended, which the base class forgets. */
export class ServerClient extends LanguageClient {
  #process: ChildProcess | undefined;

  /** Resolves when the process has ended; at once if there never was one. */
  async exited(): Promise<void> {
    const process = this.#process;
    if (process?.exitCode !== null || process.signalCode !== null) return;
    await new Promise((resolve) => process.once('exit', resolve));
  }

  /** How the process ended: an exit code or a signal's name; undefined while it runs or if it never did. */
  get end(): number | string | undefined {
    return this.#process?.exitCode ?? this.#process?.signalCode ?? undefined;
  }

  kill(): void {
    this.#process?.kill('SIGKILL');
  }

  protected override async createMessageTransports(encoding: string): Promise<MessageTransports> {
    const transports = await super.createMessageTransports(encoding);
    this.#process = this.serverProcess;
    return transports;
  }
}

/** A client that is not started yet. */
export function createClient(options: ClientOptions): ServerClient {
  const { paths, settings, log, middleware, onClosed } = options;
  const run = { module: paths.server, transport: TransportKind.ipc };
  const initializationOptions: InitializationOptions = {
    settings,
    defaultModel: paths.defaultModel,
    addon: paths.addon,
  };
  return new ServerClient(
    'monokernel',
    'Monokernel',
    { run, debug: run },
    {
      documentSelector: SCHEMES.map((scheme) => ({ scheme })),
      initializationOptions,
      outputChannel: log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      middleware,
      // The server's own process says nothing on these unless it is about to die: no reason to call every line an error.
      stdioOptions: {
        stdout: (stream) => {
          logLines(stream, (line) => {
            log.info(line);
          });
        },
        stderr: (stream) => {
          logLines(stream, (line) => {
            log.warn(line);
          });
        },
      },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          onClosed();
          return { action: CloseAction.DoNotRestart, handled: true, message: 'The connection to the server closed.' };
        },
      },
    },
  );
}

function logLines(stream: NodeJS.ReadableStream, write: (line: string) => void): void {
  let rest = '';
  stream.on('data', (chunk: Buffer | string) => {
    const lines = (rest + chunk.toString()).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) write(line);
  });
  stream.on('end', () => {
    if (rest !== '') write(rest);
  });
}
