/** Runs the mocha suite inside the extension host of a VS Code, and believes only a results file that is finished. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import * as path from 'node:path';
import { format } from 'node:util';
import * as esbuild from 'esbuild';
import type { EditorName } from '../../../extension/editor/install';
import type { Results } from '../suite/results';
import { OUT, ROOT, withEditor } from './run';
import type { Run } from './run';

export interface Outcome {
  passed: number;
  failures: string[];
}

const LIMIT_MS = 5 * 60_000;

/** Bundles the suite, each test file by itself, and gives the path of its entry. */
export async function bundleSuite(): Promise<string> {
  const sources = path.join(ROOT, 'test/vscode/suite');
  const outdir = path.join(OUT, 'vscode-suite');
  rmSync(outdir, { recursive: true, force: true });
  await esbuild.build({
    entryPoints: ['index.ts', ...readdirSync(sources).filter((file) => file.endsWith('.test.ts'))],
    absWorkingDir: sources,
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node20',
    external: ['vscode', 'mocha'],
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  return path.join(outdir, 'index.js');
}

/** Runs the suite on the extension in the folder `extension`: the repository, or an unpacked VSIX. */
export async function runSuite(editor: EditorName, extension: string): Promise<Outcome> {
  const entry = await bundleSuite();
  const name = `suite-${editor}`;
  const resultsFile = path.join(OUT, `${name}.json`);
  rmSync(resultsFile, { force: true });
  const environment = { MONOKERNEL_TEST_RESULTS: resultsFile };
  const { code, foreign } = await withEditor({ name, editor, forSuite: true, environment }, async (run) => ({
    code: await runInPage(run, extension, entry, name),
    foreign: [...run.foreign],
  }));
  return judge(readResults(resultsFile), code, foreign);
}

/** What the suite has written; undefined when it did not come so far. */
export function readResults(file: string): Results | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : undefined;
}

/** Opens the workbench on the suite and resolves with what it ended with: an exit code, or what went wrong instead. */
async function runInPage(run: Run, extension: string, entry: string, name: string): Promise<string> {
  const { page, log, open, remote } = run;
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, LIMIT_MS, 'nothing within its time limit');
    page.on('crash', () => {
      resolve('a crash of the page');
    });
    // The workbench calls these two by name; they must be there before the page loads.
    void page.exposeFunction('codeAutomationExit', (code: number) => {
      resolve(`exit code ${code}`);
    });
  });
  try {
    await page.exposeFunction('codeAutomationLog', (type: string, args: unknown[]) => {
      log(`host ${type} ${format(...args)}`);
    });
    await open([
      ['extensionDevelopmentPath', remote(extension)],
      ['extensionTestsPath', remote(entry)],
      ['skipWelcome', 'true'],
    ]);
    const code = await ended;
    if (code !== 'exit code 0') await page.screenshot({ path: path.join(OUT, `${name}.png`) }).catch(() => undefined);
    return code;
  } finally {
    clearTimeout(timer);
  }
}

/** Turns results and the host's end into an outcome. A killed extension host also ends with exit code 0, so the code alone proves nothing. */
export function judge(results: Results | undefined, code: string, foreign: string[]): Outcome {
  const passed = results?.passed ?? [];
  const failures = (results?.failed ?? []).map(({ title, error }) => `${title}\n${error}`);
  for (const { title, milliseconds } of passed) console.log(`  ok   ${title} (${milliseconds} ms)`);
  if (results?.finished !== true) {
    failures.push(`the extension host ended with ${code}, during: ${results?.current ?? 'the start'}`);
  } else if (failures.length === 0 && (code !== 'exit code 0' || passed.length === 0)) {
    failures.push(`the suite ended with ${code} after ${passed.length} passed tests`);
  }
  for (const address of foreign) failures.push(`the page asked for ${address}`);
  return { passed: passed.length, failures };
}
