/** What the packaged extension must hold, and nothing else. */
import { strict as assert } from 'node:assert';
import { readdirSync, statSync } from 'node:fs';
import * as path from 'node:path';
import { TARGET } from '../../../extension/package/vsix';
import { kernelFile, targetsInOrder } from '../../../lsp-server/topology/choice';

/** The kernels of every kind of GPU: the one that runs models, and the one that measures memory. */
const KERNELS = targetsInOrder.flatMap((target) => [
  kernelFile(target),
  kernelFile(target).replace('monokernel', 'page_homes'),
]);

const NEEDED = [
  'package.json',
  'package.nls.json',
  'readme.md',
  'changelog.md',
  'LICENSE.txt',
  'dist/extension.js',
  'dist/server.js',
  'dist/ThirdPartyNotices.txt',
  'media/icon.png',
  'media/walkthrough/complete.svg',
  'models/laneformer-nano/config.json',
  'models/laneformer-nano/tokenizer.json',
  'models/laneformer-nano/model.safetensors.index.json',
  `native/prebuilds/${TARGET}/monokernel.node`,
  ...KERNELS.map((name) => `native/prebuilds/kernels/${name}`),
];

const ALLOWED = [
  /^media\/screenshot\.png$/,
  /^media\/walkthrough\/\w+\.svg$/,
  /^models\/laneformer-nano\/[\w.-]+\.(json|safetensors|md)$/,
  /^native\/prebuilds\/kernels\/[\w.-]+$/,
  /^\.vsixmanifest$/,
];

/** Checks the file list of an installed extension. */
export function checkPackagedFiles(folder: string): void {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(path.join(folder, name)).isFile())
    .map((name) => name.split(path.sep).join('/'));
  assert.deepEqual(
    NEEDED.filter((name) => !files.includes(name)),
    [],
    'files that the VSIX lacks',
  );
  assert.deepEqual(
    files.filter((name) => !NEEDED.includes(name) && !ALLOWED.some((pattern) => pattern.test(name))),
    [],
    'files that have no business in the VSIX',
  );
}
