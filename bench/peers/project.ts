import * as fs from 'node:fs';
import * as path from 'node:path';

/** The repository's root: npm runs its scripts there. */
export const root = process.cwd();

export const nanoFolder = path.join(root, 'models/laneformer-nano');

/** The engine's addon for this machine. */
export function addonFile(): string {
  const file = path.join(root, 'native/prebuilds', `${process.platform}-${process.arch}`, 'monokernel.node');
  if (!fs.existsSync(file))
    throw new Error(`The engine is not built: run "npm run build:native" first (${file} is missing).`);
  return file;
}
