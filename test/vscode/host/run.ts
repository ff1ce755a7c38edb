/** One run of a real VS Code under test: its folders, its server, and the page that shows it. Nothing outlives it. */
import { execFileSync } from 'node:child_process';
import { cpSync, createWriteStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { installEditor } from '../../../extension/editor/install';
import type { Editor, EditorName } from '../../../extension/editor/install';
import { startEditorServer, writeUserSettings } from '../../../extension/editor/server';
import type { EditorFolders, EditorServer } from '../../../extension/editor/server';

export const ROOT = path.resolve(__dirname, '../..');
export const EXTENSION = 'monokernel.monokernel';

/** Where logs, results and screenshots stay after the run. */
export const OUT = path.join(ROOT, 'out');

const SETTINGS = {
  // No other source of ghost text, no sign-in.
  'chat.disableAIFeatures': true,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'telemetry.telemetryLevel': 'off',
  // A toast is otherwise caught half faded.
  'workbench.reduceMotion': 'on',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
};

/** Chromium without a GPU, a sandbox (root has none) or the network. */
const BROWSER_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

/** Names of files inside webviews; the workbench's service worker answers for them, the network never sees them. */
const WEBVIEW_HOST = '.vscode-resource.vscode-cdn.net';

export interface RunOptions {
  name: string;
  editor: EditorName;
  /** Settings of the person, over those that every run has. */
  settings?: object;
  /** Runs before the server starts: to install the extension. */
  prepare?: (editor: Editor, folders: EditorFolders) => Promise<void>;
  /** Lets the page name an extension and a suite to run. */
  forSuite?: boolean;
  environment?: Record<string, string>;
}

export interface Run {
  page: Page;
  server: EditorServer;
  /** A copy of the sample workspace. */
  workspace: string;
  /** Addresses other than the loopback's that the page asked for. */
  foreign: Set<string>;
  /** Writes to the run's log. */
  log: (line: string) => void;
  /** The workbench's address with a payload; see `open`. */
  open: (payload: [string, string][]) => Promise<void>;
  /** An address of a file on the server's side. */
  remote: (file: string) => string;
}

/** Starts a VS Code, hands it to `body`, and takes everything down again, whatever happens. */
export async function withEditor<Result>(options: RunOptions, body: (run: Run) => Promise<Result>): Promise<Result> {
  // Short, since VS Code puts sockets below it.
  const temporary = mkdtempSync(path.join(tmpdir(), 'mk-'));
  const stops: (() => Promise<void> | void)[] = [
    () => {
      rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
    },
  ];
  try {
    const editor = await installEditor(options.editor, path.join(ROOT, '.cache/editor'), console.log);
    const folders = {
      temporary,
      userData: path.join(temporary, 'user'),
      extensions: path.join(temporary, 'ext'),
    };
    const workspace = path.join(temporary, 'shop');
    cpSync(path.join(ROOT, 'test/vscode/workspace'), workspace, { recursive: true });
    writeUserSettings(folders, { ...SETTINGS, ...options.settings });
    await options.prepare?.(editor, folders);

    mkdirSync(OUT, { recursive: true });
    const log = createWriteStream(path.join(OUT, `${options.name}.log`));
    stops.push(() => {
      log.end();
    });
    stops.push(() => {
      keepLogs(folders.userData, options.name);
    });
    const server = await startEditorServer({
      editor,
      folders,
      log: path.join(OUT, `${options.name}.server.log`),
      args: ['--disable-workspace-trust', ...(options.forSuite === true ? editor.testSwitch : [])],
      ...(options.environment && { environment: options.environment }),
    });
    stops.push(() => server.stop());

    const browser = await launchBrowser();
    stops.push(() => browser.close());
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    const foreign = new Set<string>();
    const write = (line: string): void => {
      log.write(`${line}\n`);
    };
    page.on('console', (message) => {
      write(`${message.type()} ${message.text()}`);
    });
    page.on('pageerror', (error) => {
      write(`pageerror ${error.stack ?? error.message}`);
    });
    page.on('request', (request) => {
      const address = new URL(request.url());
      const isServed = address.host === server.host || address.host.endsWith(WEBVIEW_HOST);
      if (/^(https?|wss?):$/.test(address.protocol) && !isServed) foreign.add(request.url());
    });
    const remote = (file: string): string => `vscode-remote://${server.host}${file}`;
    const open = async (payload: [string, string][]): Promise<void> => {
      const query = new URLSearchParams({ folder: workspace, payload: JSON.stringify(payload) });
      const response = await page.goto(`http://${server.host}/?${query.toString()}`);
      if (response?.ok() !== true)
        throw new Error(`HTTP ${response?.status() ?? 0} for the workbench: see out/${options.name}.server.log`);
    };
    return await body({ page, server, workspace, foreign, log: write, open, remote });
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function launchBrowser(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM'] ?? inPath('chromium') ?? inPath('google-chrome');
  if (executablePath === undefined) {
    throw new Error(
      'Chromium is missing: run "node test/prepare.mjs" as root, or set CHROMIUM to a Chromium or Chrome.',
    );
  }
  return chromium.launch({ executablePath, headless: true, args: BROWSER_ARGS });
}

function inPath(program: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/** Keeps what the extension and VS Code itself logged. */
function keepLogs(userData: string, name: string): void {
  const kept = path.join(OUT, `${name}.logs`);
  rmSync(kept, { recursive: true, force: true });
  try {
    cpSync(path.join(userData, 'logs'), kept, { recursive: true });
  } catch {
    // The editor did not come so far.
  }
}
