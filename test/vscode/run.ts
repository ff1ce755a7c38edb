/**
 * Tests in a real VS Code, one that npm alone provides (extension/editor/install.ts).
 *
 *   node out/tools/run.js suite [newest|oldest] [--extension=FOLDER]
 *       the mocha suite in the extension host; in both versions and on the repository by default
 *   node out/tools/run.js ui
 *       what a person sees, on the packaged VSIX, with screenshots
 */
import * as path from 'node:path';
import { ROOT } from './host/run';
import { runSuite } from './host/suite';
import type { Outcome } from './host/suite';
import { runUi } from './ui/ui';

async function main(): Promise<void> {
  const [mode, version] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  const extension = process.argv.find((argument) => argument.startsWith('--extension='))?.slice('--extension='.length);
  const outcomes: Outcome[] = [];
  if (mode === 'suite') {
    for (const editor of ['newest', 'oldest'] as const) {
      if (version !== undefined && version !== editor) continue;
      console.log(`suite in the ${editor} VS Code`);
      outcomes.push(await runSuite(editor, path.resolve(extension ?? ROOT)));
    }
  } else if (mode === 'ui') {
    outcomes.push(await runUi());
  }
  if (outcomes.length === 0) throw new Error('usage: run.js suite [newest|oldest] [--extension=FOLDER] | ui');
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  const failures = outcomes.flatMap((outcome) => outcome.failures);
  for (const failure of failures) console.log(`  FAIL ${failure}`);
  console.log(`${passed} passed, ${failures.length} failed`);
  process.exitCode = failures.length === 0 && passed > 0 ? 0 : 1;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
