/** Packs the extension, installs it into a fresh VS Code and plays the scenes in it, as a person would. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import * as path from 'node:path';
import { installVsix } from '../../../extension/editor/server';
import type { EditorFolders } from '../../../extension/editor/server';
import { buildVsix } from '../../../extension/package/vsix';
import { EXTENSION, OUT, ROOT, withEditor } from '../host/run';
import type { Outcome } from '../host/suite';
import { checkPackagedFiles } from './packaged';
import { scenes } from './scenes';
import { SCREENSHOTS, Workbench } from './workbench';

export async function runUi(): Promise<Outcome> {
  rmSync(SCREENSHOTS, { recursive: true, force: true });
  const vsix = await buildVsix(ROOT, OUT);
  let extension = '';
  let used: EditorFolders | undefined;
  const outcome: Outcome = { passed: 0, failures: [] };
  await withEditor(
    {
      name: 'ui',
      editor: 'newest',
      settings: { 'editor.minimap.enabled': false, 'workbench.activityBar.location': 'hidden' },
      prepare: async (editor, folders) => {
        used = folders;
        extension = await installVsix(editor, folders, vsix, EXTENSION);
        checkPackagedFiles(extension);
        passed(outcome, 'the VSIX holds what it must, and nothing else');
      },
    },
    async ({ page, open, remote, workspace, foreign }) => {
      if (used === undefined) throw new Error('nothing was prepared');
      await open([['openFile', remote(path.join(workspace, 'src/cart.ts'))]]);
      const bench = new Workbench(page);
      await bench.editor.locator('.view-line').first().waitFor({ timeout: 60_000 });
      await bench.command('View: Toggle Primary Side Bar Visibility');
      await bench.editor.locator('.view-lines').click();
      for (const [name, scene] of Object.entries(scenes)) {
        try {
          await scene({ bench, folders: used, extension });
        } catch (error) {
          const picture = await bench.screenshot('failure').catch(() => 'no picture');
          const preview = await bench.previewText().catch(() => '');
          const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
          outcome.failures.push(
            [`${name} (${picture})`, said, `the preview shows: ${JSON.stringify(preview)}`, extensionLog(used)].join(
              '\n',
            ),
          );
          break; // The scenes that follow build on this one.
        }
        passed(outcome, name);
      }
      for (const address of foreign) outcome.failures.push(`the page asked for ${address}`);
    },
  );
  return outcome;
}

/** The end of what the extension logged: pictures of a failure are seldom at hand where CI ran. */
function extensionLog({ userData }: EditorFolders): string {
  const logs = path.join(userData, 'logs');
  const files = readdirSync(logs, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => path.basename(file) === 'Monokernel.log')
    .map((file) => readFileSync(path.join(logs, file), 'utf8').slice(-3_000))
    .join('\n');
}

function passed(outcome: Outcome, name: string): void {
  outcome.passed++;
  console.log(`  ok   ${name}`);
}
