// Builds the kernels and the native programs that check and time them, and runs one on this machine's GPU:
//   node bench/gpu/run.mjs kernels   the kernels alone, which needs no GPU
//   node bench/gpu/run.mjs check   every golden checkpoint, twice more with too few registers, the nano model if it is there, 1,000
//                                  requests with cancellations
//   node bench/gpu/run.mjs bench   speed beside this GPU's memory, and PyTorch's with CUDA graphs where python3 has torch
//   node bench/gpu/run.mjs timeline   where a decode and a prefill step's time goes, phase by phase
//   node bench/gpu/run.mjs homes   which memory is near which die, measured three times
// On a machine without clang, what an earlier build left in native/prebuilds is run: carry that folder there.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { buildKernels, buildShippedKernels, buildTimelineKernel, findClang } from '../../native/kernel/build.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const kernels = join(root, 'native', 'prebuilds', 'kernels');
const programs = join(root, 'native', 'prebuilds', 'gpu');
const timelineKernels = join(programs, 'timeline');
const built = ['gpu_check', 'gpu_bench', 'gpu_timeline', 'gpu_homes'];

function run(command, ...parameters) {
  const { status, error } = spawnSync(command, parameters, { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    throw new Error(`${command} failed${error === undefined ? '' : `: ${error.message}`}`);
  }
}

/** Whether an earlier build left everything that is run here, for a machine that cannot build it. */
function builtBefore() {
  const objects = [
    ...['monokernel', 'page_homes'].map((name) => join(kernels, name)),
    join(programs, 'stream'),
    join(timelineKernels, 'monokernel'),
  ];
  const forTarget = (suffix) => objects.every((object) => existsSync(`${object}.${suffix}`));
  return (
    ['sm_90.ptx', 'sm_80.ptx', 'gfx942.co'].some(forTarget) &&
    built.every((program) => existsSync(join(programs, program)))
  );
}

function buildAllKernels() {
  buildShippedKernels();
  buildKernels(join(root, 'bench', 'gpu', 'stream_kernel.cpp'), programs, 'stream');
  buildTimelineKernel(timelineKernels);
}

function build() {
  if (findClang() === undefined && builtBefore()) {
    console.log('No clang 19 or newer here: what was built before is run.');
    return;
  }
  buildAllKernels();
  const folder = join(root, 'native', 'build-gpu');
  run('cmake', '-S', 'native', '-B', folder, '-DCMAKE_BUILD_TYPE=Release', '-DMONOKERNEL_TESTS=ON');
  run('cmake', '--build', folder, '-j', '2', '--target', ...built);
  mkdirSync(programs, { recursive: true });
  for (const program of built) {
    copyFileSync(join(folder, 'test', 'gpu', program), join(programs, program));
  }
}

function check() {
  build();
  const nano = join('models', 'laneformer-nano');
  const withNano = existsSync(join(root, nano, 'model-00001-of-00002.safetensors')) ? ['nano', nano] : [];
  const checks = ['golden', 'random', 'starved', 'cancel', 'halves', 'devices', ...withNano];
  const asCard = existsSync(join(kernels, 'monokernel.sm_80.ptx'))
    ? ['card', 'golden', 'random', 'cancel', 'halves']
    : [];
  run(join(programs, 'gpu_check'), kernels, ...checks, ...asCard);
}

function bench() {
  build();
  run(join(programs, 'gpu_bench'), kernels, ...process.argv.slice(3));
  const torch = spawnSync('python3', ['-c', 'import torch; assert torch.cuda.is_available()'], { stdio: 'ignore' });
  if (torch.status === 0) {
    run('python3', join('bench', 'gpu', 'torch_baseline.py'));
  } else {
    console.log('python3 has no torch with CUDA: no PyTorch figure');
  }
}

function timeline() {
  build();
  run(join(programs, 'gpu_timeline'), timelineKernels, ...process.argv.slice(3));
}

function homes() {
  build();
  run(join(programs, 'gpu_homes'), kernels);
}

const actions = { kernels: buildAllKernels, check, bench, timeline, homes };
const action = actions[process.argv[2]];
if (action === undefined) {
  console.error('usage: node bench/gpu/run.mjs kernels|check|bench|timeline|homes');
  process.exitCode = 2;
} else {
  try {
    action();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
