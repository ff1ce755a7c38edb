/**
 * `npm start`: opens a VS Code with the extension and a sample workspace. The desktop VS Code if `code` is in PATH, else
 * one in the browser; `npm start -- --browser` asks for the latter. Ctrl+C ends it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { buildVsix } from '../package/vsix';
import { installEditor } from './install';
import { installVsix, startEditorServer, writeUserSettings } from './server';
import type { EditorFolders } from './server';

const ROOT = path.resolve(__dirname, '../..');
const EXTENSION = 'monokernel.monokernel';

/** A first run that shows what there is to see: no sign-in, no other source of ghost text. */
const FIRST_SETTINGS = {
  'chat.disableAIFeatures': true,
  'extensions.autoCheckUpdates': false,
  'telemetry.telemetryLevel': 'off',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'readme',
};

async function main(): Promise<void> {
  const workspace = sampleWorkspace(path.join(ROOT, '.cache/start/shop'));
  if (process.argv.includes('--browser') || !inPath('code')) await startInBrowser(workspace);
  else await startOnDesktop(workspace);
}

/** A copy of the sample, made once, so that what the person types stays out of the repository. */
function sampleWorkspace(folder: string): string {
  if (!existsSync(folder)) cpSync(path.join(ROOT, 'test/vscode/workspace'), folder, { recursive: true });
  return folder;
}

async function startOnDesktop(workspace: string): Promise<void> {
  console.log(`Opening the desktop VS Code with the extension and ${workspace}`);
  console.log('("npm start -- --browser" runs one in the browser instead.) Ctrl+C, or close the window.');
  const file = path.join(workspace, 'src/cart.ts');
  const args = ['--new-window', '--wait', `--extensionDevelopmentPath=${ROOT}`, workspace, file];
  const child = spawn('code', args, { stdio: 'inherit', shell: process.platform === 'win32' });
  const stop = (): void => {
    child.kill();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      resolve(code ?? 0);
    });
  });
}

async function startInBrowser(workspace: string): Promise<void> {
  const cache = path.join(ROOT, '.cache');
  const temporary = mkdtempSync(path.join(tmpdir(), 'mk-'));
  const folders: EditorFolders = {
    temporary,
    userData: path.join(cache, 'start/user-data'),
    extensions: path.join(cache, 'start/extensions'),
  };
  try {
    const editor = await installEditor('newest', path.join(cache, 'editor'), console.log);
    console.log('packing the extension');
    mkdirSync(path.join(ROOT, 'out'), { recursive: true });
    const vsix = await buildVsix(ROOT, path.join(ROOT, 'out'));
    writeUserSettings(folders, FIRST_SETTINGS, true);
    await installVsix(editor, folders, vsix, EXTENSION);
    const password = randomBytes(9).toString('base64url');
    const log = path.join(temporary, 'code-server.log');
    const server = await startEditorServer({
      editor,
      folders,
      log,
      password,
      args: ['--disable-workspace-trust', workspace],
    });
    const stop = (): void => {
      void server.stop();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
    const address = `http://${server.host}/`;
    console.log(
      `\nVS Code ${editor.vscode} with Monokernel: ${address}\nPassword, for this run only:    ${password}\n\nCtrl+C ends it.`,
    );
    openBrowser(address);
    await server.ended;
    await server.stop();
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Opens the address where there is a desktop to open it on. */
function openBrowser(address: string): void {
  const hasDesktop = process.platform === 'darwin' || 'DISPLAY' in process.env || 'WAYLAND_DISPLAY' in process.env;
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  if (hasDesktop && inPath(opener)) spawn(opener, [address], { stdio: 'ignore', detached: true }).unref();
}

function inPath(program: string): boolean {
  const [shell, args] = process.platform === 'win32' ? ['where', [program]] : ['sh', ['-c', `command -v ${program}`]];
  return spawnSync(shell, args, { stdio: 'ignore' }).status === 0;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
