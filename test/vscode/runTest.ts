/**
 * The same mocha suite in desktop VS Code, for a machine that can download one (with @vscode/test-electron) or has one:
 * `VSCODE=/path/to/code npm run test:desktop`. Needs a display; on a server, xvfb-run.
 */
import { runTests } from '@vscode/test-electron';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { OUT, ROOT } from './host/run';
import { bundleSuite, judge, readResults } from './host/suite';

async function main(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'mk-'));
  const results = path.join(OUT, 'suite-desktop.json');
  const installed = process.env['VSCODE'];
  rmSync(results, { force: true });
  try {
    cpSync(path.join(ROOT, 'test/vscode/workspace'), path.join(folder, 'shop'), { recursive: true });
    const ended = await runTests({
      extensionDevelopmentPath: ROOT,
      extensionTestsPath: await bundleSuite(),
      extensionTestsEnv: { MONOKERNEL_TEST_RESULTS: results },
      launchArgs: [
        path.join(folder, 'shop'),
        '--disable-extensions',
        '--disable-workspace-trust',
        `--user-data-dir=${path.join(folder, 'user')}`,
      ],
      ...(installed !== undefined && { vscodeExecutablePath: installed }),
    }).then(
      (code) => `exit code ${code}`,
      (error: unknown) => String(error),
    );
    const { passed, failures } = judge(readResults(results), ended, []);
    for (const failure of failures) console.log(`  FAIL ${failure}`);
    console.log(`${passed} passed, ${failures.length} failed`);
    process.exitCode = failures.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
