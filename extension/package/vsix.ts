/** Makes the VSIX of this platform: the bundles, the built-in model, and this platform's engine only. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { thirdPartyNotices } from './notices';

export class PackageError extends Error {
  override readonly name = 'PackageError';
}

const LIMIT_MS = 5 * 60_000;

/** The platform in VS Code's words, such as `linux-x64`. */
export const TARGET = `${process.platform}-${process.arch}`;

/** Without these the extension cannot run; `npm run build` makes them. */
const BUILT = ['dist/extension.js', 'dist/server.js', `native/prebuilds/${TARGET}/monokernel.node`];

/** What goes into the VSIX besides the files that `.vscodeignore` lets in for every platform. */
const OF_TARGET = [`native/prebuilds/${TARGET}/*.node`, 'native/prebuilds/kernels/*', 'dist/ThirdPartyNotices.txt'];

/** Packs `root` into a file in `folder`, and gives its path. Expects a build to be there. */
export async function buildVsix(root: string, folder: string): Promise<string> {
  const missing = BUILT.filter((file) => !existsSync(path.join(root, file)));
  if (missing.length > 0) throw new PackageError(`${missing.join(', ')} is missing: run "npm run build" first`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(root, 'dist/ThirdPartyNotices.txt'), await thirdPartyNotices(root));

  const shared = readFileSync(path.join(root, '.vscodeignore'), 'utf8');
  const ignoreFile = path.join(folder, 'vscodeignore');
  writeFileSync(ignoreFile, [shared.trimEnd(), ...OF_TARGET.map((pattern) => `!${pattern}`), ''].join('\n'));

  const vsix = path.join(folder, `monokernel-${TARGET}.vsix`);
  const vsce = path.join(root, 'node_modules/@vscode/vsce/vsce');
  const args = [
    'package',
    '--target',
    TARGET,
    '--no-dependencies',
    '--no-rewrite-relative-links',
    '--ignoreFile',
    ignoreFile,
    '--out',
    vsix,
  ];
  try {
    await promisify(execFile)(process.execPath, [vsce, ...args], { cwd: root, timeout: LIMIT_MS });
  } catch (error) {
    throw new PackageError(`vsce failed: ${error instanceof Error ? error.message : String(error)}`);
  }
  return vsix;
}
