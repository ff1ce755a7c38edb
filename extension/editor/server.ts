/** Runs code-server on the loopback, without reaching for the network, and takes everything down with it. */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import * as path from 'node:path';
import { promisify } from 'node:util';
import type { Editor } from './install';

export class EditorServerError extends Error {
  override readonly name = 'EditorServerError';
}

/** Where a run keeps what it writes. */
export interface EditorFolders {
  /** Sockets and temporary files. Keep it short: a socket's path has room for 107 characters. */
  temporary: string;
  userData: string;
  extensions: string;
}

export interface EditorServerOptions {
  editor: Editor;
  folders: EditorFolders;
  /** The server's own output goes here. */
  log: string;
  /** Asked for in the browser; none if left out. */
  password?: string;
  /** Further arguments, such as the folder to open. */
  args?: string[];
  environment?: Record<string, string>;
}

export interface EditorServer {
  /** `127.0.0.1:PORT` */
  host: string;
  /** The process group's leader. */
  processId: number;
  /** Resolves when the server has ended, whoever ended it. */
  ended: Promise<void>;
  stop(): Promise<void>;
}

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 5_000;
const INSTALL_LIMIT_MS = 120_000;

/** Writes the person's settings, unless there are some already and `keep` is set. */
export function writeUserSettings(folders: EditorFolders, settings: object, keep = false): void {
  const folder = path.join(folders.userData, 'User');
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(path.join(folder, 'settings.json'), JSON.stringify(settings, null, 2), { flag: keep ? 'wx' : 'w' });
  } catch (error) {
    if (!(keep && error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

/** Installs a packaged extension and gives the folder that it now lies in. */
export async function installVsix(editor: Editor, folders: EditorFolders, vsix: string, id: string): Promise<string> {
  await promisify(execFile)(
    editor.node,
    [editor.entry, ...folderArgs(folders), '--install-extension', vsix, '--force'],
    {
      env: offline(),
      timeout: INSTALL_LIMIT_MS,
    },
  );
  const installed = JSON.parse(readFileSync(path.join(folders.extensions, 'extensions.json'), 'utf8')) as {
    identifier: { id: string };
    relativeLocation: string;
  }[];
  const entry = installed.find(({ identifier }) => identifier.id === id);
  if (entry === undefined) throw new EditorServerError(`${vsix} was not installed as ${id}`);
  return path.join(folders.extensions, entry.relativeLocation);
}

/** Starts the server and resolves once it answers. */
export async function startEditorServer(options: EditorServerOptions): Promise<EditorServer> {
  const { editor, folders, log, password, args = [], environment = {} } = options;
  for (const folder of Object.values(folders) as string[]) mkdirSync(folder, { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const output = openSync(log, 'w');
  const child = spawn(
    editor.node,
    [
      editor.entry,
      ...folderArgs(folders),
      ...['--bind-addr', host, '--auth', password === undefined ? 'none' : 'password'],
      ...[
        '--disable-telemetry',
        '--disable-update-check',
        '--disable-getting-started-override',
        '--ignore-last-opened',
      ],
      ...args,
    ],
    {
      // A process group of its own, so that extension host and language server end with it.
      detached: true,
      stdio: ['ignore', output, output],
      env: {
        ...offline(),
        ...environment,
        ...(password !== undefined && { PASSWORD: password }),
        XDG_RUNTIME_DIR: folders.temporary,
        TMPDIR: folders.temporary,
      },
    },
  );
  const server = handle(child, host);
  try {
    await answers(child, host, log);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

function handle(child: ChildProcess, host: string): EditorServer {
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // The group has ended already.
    }
  };
  const kill = (): void => {
    signal('SIGKILL');
  };
  process.once('exit', kill);
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => {
      resolve();
    });
    child.once('exit', () => {
      resolve();
    });
  });
  return {
    host,
    processId: child.pid ?? -1,
    ended,
    async stop() {
      signal('SIGTERM');
      const limit = setTimeout(kill, STOP_LIMIT_MS);
      await ended;
      clearTimeout(limit);
      kill();
      process.removeListener('exit', kill);
    },
  };
}

async function answers(child: ChildProcess, host: string, log: string): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      const reason = child.exitCode ?? child.signalCode;
      const text = readFileSync(log, 'utf8').slice(-2000);
      throw new EditorServerError(
        reason === null ? `code-server does not answer:\n${text}` : `code-server ended with ${reason}:\n${text}`,
      );
    }
    try {
      if ((await fetch(`http://${host}/healthz`, { signal: AbortSignal.timeout(1000) })).ok) return;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function folderArgs(folders: EditorFolders): string[] {
  const config = path.join(folders.temporary, 'config.yaml');
  return ['--config', config, '--user-data-dir', folders.userData, '--extensions-dir', folders.extensions];
}

/** The environment without an extension gallery, which the server would ask for on the network. */
function offline(): NodeJS.ProcessEnv {
  return { ...process.env, EXTENSIONS_GALLERY: '{}' };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (address === null || typeof address === 'string') reject(new EditorServerError('no free port'));
        else resolve(address.port);
      });
    });
  });
}
