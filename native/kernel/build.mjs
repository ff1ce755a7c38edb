// Builds the monokernel for its GPU targets: node native/kernel/build.mjs
// Needs a clang that knows both targets (Debian: clang-19 and lld-19, or newer; or ROCm's), no GPU and no SDK.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const kernelFolder = dirname(fileURLToPath(import.meta.url));
const outputFolder = join(kernelFolder, '..', 'prebuilds', 'kernels');

const candidates = [
  process.env.MONOKERNEL_CLANG,
  ...[22, 21, 20, 19].map((version) => `clang++-${version}`),
  '/opt/rocm/llvm/bin/clang++',
  'clang++',
].filter(Boolean);

const common = [
  '-std=c++20',
  '-O3',
  '-ffp-contract=on', // by the source alone: how prompts are cut must not change which products are fused
  '-fno-exceptions',
  '-fno-rtti',
  '-fno-vectorize',
  '-fno-unroll-loops', // only those that the source names: the others run once or twice, and code costs cache
  '-fno-slp-vectorize',
  '-fuse-cuid=none', // the same bytes from every checkout
  '-Wall',
  '-Wextra',
  '-Wno-unused-function',
  '-Wno-pass-failed',
  ...['-mllvm', '-disable-lsr'], // what it moves ahead of loops does not fit into the registers
];

const targets = [
  {
    suffix: 'gfx942.co',
    flags: [
      ...['-x', 'hip', '--offload-arch=gfx942', '--offload-device-only', '-nogpuinc', '-nogpulib', '-nostdinc'],
      ...['-mcode-object-version=5', '--no-gpu-bundle-output'],
      // What the first pass moves ahead of loops does not fit into the scalar registers; joined edges save copies.
      ...['-disable-machine-licm', '-join-splitedges'].flatMap((option) => ['-mllvm', option]),
    ],
  },
  ...['sm_80', 'sm_90'].map((architecture) => ({
    suffix: `${architecture}.ptx`,
    flags: [
      ...['-x', 'cuda', `--offload-arch=${architecture}`, '--offload-device-only', '-nocudainc', '-nocudalib'],
      ...['-nostdinc', '--cuda-path=/nonexistent', '--cuda-feature=+ptx80', '-S'],
      // Division good to 2 units in the last place: the exact one calls a function, around which registers spill.
      ...['-mllvm', '-nvptx-prec-divf32=1'],
    ],
  })),
];

/** The first clang of version 19 or newer, or undefined. */
export function findClang() {
  for (const command of candidates) {
    try {
      const text = execFileSync(command, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      const version = Number(/clang version (\d+)/.exec(text)?.[1]);
      if (version >= 19) {
        return { command, version };
      }
    } catch {
      // Not installed: try the next one.
    }
  }
  return undefined;
}

/** Compiles `source` for every target into `folder` as NAME.TARGET.co or .ptx; returns the files. */
export function buildKernels(
  source = join(kernelFolder, 'monokernel.cpp'),
  folder = outputFolder,
  name = 'monokernel',
  definitions = [],
) {
  const clang = findClang();
  if (clang === undefined) {
    throw new Error(
      'No clang 19 or newer was found, so the GPU kernels are not built; the CPU engine works without them. ' +
        'Install clang-19 and lld-19 (or ROCm), or name a clang++ in MONOKERNEL_CLANG.',
    );
  }
  mkdirSync(folder, { recursive: true });
  return targets.map(({ suffix, flags }) => {
    const output = join(folder, `${name}.${suffix}`);
    const include = ['-I', join(kernelFolder, '..'), ...definitions.map((definition) => `-D${definition}`)];
    execFileSync(clang.command, [...flags, ...common, ...include, '-o', output, source], { stdio: 'inherit' });
    console.log(`${output}: ${String(statSync(output).size)} bytes (clang ${String(clang.version)})`);
    return output;
  });
}

/** The monokernel that notes when each wave reaches each phase. */
export function buildTimelineKernel(folder) {
  buildKernels(undefined, folder, undefined, ['MONOKERNEL_TIMELINE']);
}

/** The kernels that ship: the monokernel, and the one that finds which memory is near which die. */
export function buildShippedKernels() {
  buildKernels();
  buildKernels(join(kernelFolder, 'page_homes.cpp'), outputFolder, 'page_homes');
}

if (
  process.argv[1] !== undefined &&
  existsSync(process.argv[1]) &&
  fileURLToPath(import.meta.url) === process.argv[1]
) {
  try {
    buildShippedKernels();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
