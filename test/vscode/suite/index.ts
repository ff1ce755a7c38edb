/** Entry for the extension host: `extensionTestsPath` of code-server's workbench and of @vscode/test-electron alike. */
import { readdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import Mocha from 'mocha';
import type { Results } from './results';

/** Resolves when every test has passed. */
export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', color: false, timeout: 30_000, reporter: FileReporter });
  for (const file of readdirSync(__dirname).sort()) {
    if (file.endsWith('.test.js')) mocha.addFile(path.join(__dirname, file));
  }
  const failures = await new Promise<number>((resolve) => mocha.run(resolve));
  if (failures > 0) throw new Error(`${failures} tests failed`);
}

/** The console's report, and a results file that is rewritten with every test, so that a crash cannot pass for success. */
class FileReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    const results: Results = { finished: false, current: undefined, passed: [], failed: [] };
    const save = (): void => {
      const file = process.env['MONOKERNEL_TEST_RESULTS'];
      if (file !== undefined) writeFileSync(file, JSON.stringify(results, null, 2));
    };
    runner.on('test', (test) => {
      results.current = test.fullTitle();
      save();
    });
    runner.on('pass', (test) => {
      results.passed.push({ title: test.fullTitle(), milliseconds: test.duration ?? 0 });
      save();
    });
    runner.on('fail', (test, error: Error) => {
      results.failed.push({ title: test.fullTitle(), error: error.stack ?? error.message });
      save();
    });
    runner.on('end', () => {
      results.finished = true;
      results.current = undefined;
      save();
    });
  }
}
