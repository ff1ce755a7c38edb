/**
 * Installs a VS Code that comes from npm alone: code-server (VS Code's own server, extension host and workbench) and the
 * Node it wants, below `.cache/editor/<version>`.
 *
 * The lean way: code-server's own install scripts are skipped, since they compile every optional module of VS Code. Only
 * the few modules named in `versions.json` are compiled, against the headers inside the `node-<platform>-<arch>` package,
 * so that neither system headers nor a download of them are needed.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import versions from './versions.json';

export type EditorName = keyof typeof versions;

/** An installed code-server: run `node entry ARGUMENTS`. */
export interface Editor {
  name: EditorName;
  vscode: string;
  node: string;
  entry: string;
  /** Server options without which built-in workbenches ignore an extension under test. */
  testSwitch: string[];
}

export class InstallError extends Error {
  override readonly name = 'InstallError';
}

/** A step of npm that takes longer than this has hung. */
const STEP_LIMIT_MS = 15 * 60_000;

/** The editor of that name, installed on first use. `say` is told what is going on. */
export async function installEditor(name: EditorName, cache: string, say: (line: string) => void): Promise<Editor> {
  const version = versions[name];
  const folder = path.join(cache, version.codeServer);
  if (!isInstalled(folder)) {
    say(
      `installing code-server ${version.codeServer} (VS Code ${version.vscode}) and Node ${version.node} from npm, once`,
    );
    const partial = `${folder}.${process.pid}.partial`;
    removeAbandoned(folder);
    try {
      await installInto(partial, name, say);
      if (!isInstalled(folder)) {
        rmSync(folder, { recursive: true, force: true });
        renameSync(partial, folder);
      }
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
  }
  return {
    name,
    vscode: version.vscode,
    node: nodeBinary(folder),
    entry: path.join(folder, 'node_modules/code-server/out/node/entry.js'),
    testSwitch: version.testSwitch,
  };
}

const isInstalled = (folder: string): boolean => existsSync(path.join(folder, 'installed'));

/** Removes what installations of `folder` left behind that were interrupted. */
function removeAbandoned(folder: string): void {
  const parent = path.dirname(folder);
  for (const name of existsSync(parent) ? readdirSync(parent) : []) {
    const id = /^(.+)\.(\d+)\.partial$/.exec(name);
    if (id?.[1] !== path.basename(folder) || isRunning(Number(id[2]))) continue;
    rmSync(path.join(parent, name), { recursive: true, force: true });
  }
}

function isRunning(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch {
    return false;
  }
}

async function installInto(folder: string, name: EditorName, say: (line: string) => void): Promise<void> {
  const { codeServer, node, compile } = versions[name];
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--legacy-peer-deps', '--loglevel=error'];
  const server = path.join(folder, 'node_modules/code-server');
  const vscode = path.join(server, 'lib/vscode');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{"private":true}');

  await npm(process.execPath, folder, [
    'install',
    ...quiet,
    '--no-save',
    `${nodePackage()}@${node}`,
    `code-server@${codeServer}`,
  ]);
  // From here on npm runs under the editor's Node, so that modules are compiled for it.
  const runtime = nodeBinary(folder);
  if (compile.codeServer.length > 0) await npm(runtime, folder, ['rebuild', '--loglevel=error', ...compile.codeServer]);
  await npm(runtime, vscode, ['ci', ...quiet, '--omit=dev']);
  await npm(runtime, path.join(vscode, 'extensions'), ['ci', ...quiet, '--omit=dev']);
  try {
    await npm(runtime, vscode, ['rebuild', '--loglevel=error', ...compile.vscode]);
  } catch (error) {
    // They only write VS Code's log files and watch its parent; the editor works without them.
    say(`going on without ${compile.vscode.join(', ')}: ${error instanceof Error ? error.message : String(error)}`);
  }
  writeFileSync(path.join(folder, 'installed'), `${codeServer} on Node ${node}\n`);
}

/** The npm package that carries Node's binary and headers for this machine. */
function nodePackage(): string {
  const known = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'];
  const target = `${process.platform}-${process.arch}`;
  if (!known.includes(target)) {
    throw new InstallError(
      `code-server does not run on ${target}: install desktop VS Code and put its 'code' into PATH`,
    );
  }
  return `node-${target}`;
}

function nodeBinary(folder: string): string {
  return path.join(folder, 'node_modules', nodePackage(), 'bin/node');
}

/** Runs npm under the given Node in `folder`, with that Node's own headers for whatever it compiles. */
function npm(node: string, folder: string, args: string[]): Promise<void> {
  const prefix = path.dirname(path.dirname(node));
  const environment = {
    ...process.env,
    PATH: `${path.dirname(node)}${path.delimiter}${process.env['PATH'] ?? ''}`,
    npm_config_nodedir: prefix,
    npm_config_build_from_source: 'true',
  };
  return new Promise((resolve, reject) => {
    const child = spawn(node, [npmProgram(), ...args], { cwd: folder, env: environment, timeout: STEP_LIMIT_MS });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else
        reject(new InstallError(`npm ${args[0] ?? ''} in ${folder} ended with ${code ?? signal ?? '?'}:\n${output}`));
    });
  });
}

/** npm's own program file: the running npm's, else that of the `npm` in PATH. */
function npmProgram(): string {
  const running = process.env['npm_execpath'];
  if (running?.endsWith('.js')) return running;
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const file = path.join(folder, 'npm');
    if (existsSync(file)) return realpathSync(file);
  }
  throw new InstallError('npm is not in PATH');
}
