import { fork, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';
import {
  createMessageConnection,
  IPCMessageReader,
  IPCMessageWriter,
  StreamMessageReader,
  StreamMessageWriter,
  type MessageConnection,
} from 'vscode-jsonrpc/node';
import { root } from '../unit/nano';
import { TestClient } from './client';

export type Transport = 'ipc' | 'stdio';

/** What `npm run build` makes. */
const server = path.join(root, 'dist/server.js');
export const addon = path.join(root, `native/prebuilds/${process.platform}-${process.arch}/monokernel.node`);

/** The real server as a process of its own, with a client that talks to it. */
export class ServerProcess implements AsyncDisposable {
  readonly client: TestClient;
  /** Its exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  stderr = '';

  private constructor(
    readonly child: ChildProcess,
    connection: MessageConnection,
  ) {
    this.client = new TestClient(connection, process.pid);
    this.exited = once(child, 'exit').then(([code, signal]: (number | string | null)[]) => code ?? signal ?? 'unknown');
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (this.stderr += chunk));
  }

  static start(transport: Transport): ServerProcess {
    for (const file of [server, addon]) {
      if (!existsSync(file)) throw new Error(`${file} is missing. Run "npm run build" first.`);
    }
    if (transport === 'stdio') {
      const child = spawn(process.execPath, [server, '--stdio'], { stdio: ['pipe', 'pipe', 'pipe'] });
      const streams = [new StreamMessageReader(child.stdout), new StreamMessageWriter(child.stdin)] as const;
      return new ServerProcess(child, createMessageConnection(...streams));
    }
    const child = fork(server, ['--node-ipc'], { execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    return new ServerProcess(child, createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child)));
  }

  /** Ends it the way an editor does. */
  async shutdown(): Promise<number | string> {
    await this.client.connection.sendRequest('shutdown');
    await this.client.connection.sendNotification('exit');
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.connection.dispose();
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.exited;
  }
}
