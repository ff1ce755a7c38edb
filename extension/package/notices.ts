/** Collects the licences of the packages that the bundles carry inside, as those licences ask. */
import * as esbuild from 'esbuild';
import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';

const PROGRAMS = ['extension/src/extension.ts', 'lsp-server/server.ts'];

/** The text of a notices file for both programs. Throws when a bundled package comes without a licence file. */
export async function thirdPartyNotices(root: string): Promise<string> {
  const { metafile } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: PROGRAMS,
    outdir: 'dist',
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    external: ['vscode', '*.node'],
    logLevel: 'error',
  });
  const folders = new Set(Object.keys(metafile.inputs).map(packageFolder));
  folders.delete(undefined);
  const entries = [...(folders as Set<string>)].sort().map((folder) => notice(path.join(root, folder)));
  return `Monokernel's programs contain the following packages.\n\n${entries.join('\n\n')}\n`;
}

/** `node_modules/a/node_modules/@b/c` of a file below it; undefined for our own files. */
function packageFolder(file: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}

function notice(folder: string): string {
  const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  if (file === undefined && manifest.license === undefined) {
    throw new Error(`${manifest.name} has no licence: leave it out, or ask its authors`);
  }
  const text =
    file === undefined ? `Licence: ${manifest.license ?? ''}` : readFileSync(path.join(folder, file), 'utf8');
  const title = `${manifest.name} ${manifest.version}`;
  return `${title}\n${'-'.repeat(title.length)}\n${text.trim()}`;
}
