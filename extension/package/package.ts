/** `npm run package`: writes the VSIX of this platform into the current folder's `out/` and says where. */
import { statSync } from 'node:fs';
import * as path from 'node:path';
import { buildVsix } from './vsix';

const root = path.resolve(__dirname, '../..');

buildVsix(root, path.join(root, 'out'))
  .then((vsix) => {
    console.log(`${vsix} (${(statSync(vsix).size / 1e6).toFixed(1)} MB)`);
  })
  .catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
