import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { ProbeResult } from '../../lsp-server/engine/addon';
import { EngineError } from '../../lsp-server/engine/contract';
import { missingAddon } from '../../lsp-server/engine/probe_failure';
import type { Settings } from '../../lsp-server/protocol';
import { readSettings } from '../../lsp-server/settings';
import { chooseEngine, kernelFile, targetsInOrder } from '../../lsp-server/topology/choice';
import { lookAtMachine } from '../../lsp-server/topology/look';
import type { LookOptions } from '../../lsp-server/topology/look';
import { placeLanes } from '../../lsp-server/topology/placement';
import { reportOf } from '../../lsp-server/topology/report';
import { calibration, h200, mi300x, probed, rtx4090 } from './boxes';
import { nanoPath } from './nano';

const folder = mkdtempSync(path.join(os.tmpdir(), 'monokernel-look-'));
after(() => {
  rmSync(folder, { recursive: true });
});

/** An extension folder with these kernels; gives the addon's path in it. */
function addonWith(...kernels: string[]): string {
  const root = mkdtempSync(path.join(folder, 'native-'));
  mkdirSync(path.join(root, 'kernels'));
  for (const name of kernels) writeFileSync(path.join(root, 'kernels', name), 'kernel');
  return path.join(root, 'linux-x64', 'monokernel.node');
}

interface Look {
  machine?: ProbeResult | Error;
  addon?: string;
  settings?: object;
  running?: LookOptions['running'];
}

const look = ({ machine = probed(), addon = addonWith(), settings = {}, running }: Look) =>
  lookAtMachine({
    places: { addon, defaultModel: nanoPath },
    settings: readSettings(settings),
    running,
    probe: () => (machine instanceof Error ? Promise.reject(machine) : Promise.resolve(machine)),
  });

test('look: a machine without a GPU is no problem, and the CPU runs the model', async () => {
  const box = await look({});
  assert.equal(box.engine.chosen, 'cpu');
  assert.equal(box.engine.workers, 3);
  assert.deepEqual(box.problems, []);
  assert.deepEqual(box.placement, []);
  assert.deepEqual(box.gpuSearch, ['HIP: libamdhip64.so is missing', 'CUDA: libcuda.so is missing']);
  assert.deepEqual(
    { ...box.model, path: '' },
    { path: '', name: 'laneformer-nano', family: 'laneformer_tp', lanes: 8 },
  );
});

test('look: threads are the workers that the settings ask for', async () => {
  assert.equal((await look({ settings: { threads: 2 } })).engine.workers, 2);
});

test('look: an addon that cannot be loaded is an error with its own words', async () => {
  const box = await look({ machine: new EngineError('addonCrashed', 'The addon was ended by SIGSEGV.') });
  assert.equal(box.engine.chosen, undefined);
  assert.equal(box.version, '');
  assert.deepEqual(
    box.problems.map(({ severity, what }) => [severity, what]),
    [['error', 'The addon was ended by SIGSEGV.']],
  );
  assert.match(reportOf(box), /Engine +cannot be loaded/);
});

test('look: a model folder that is not there is an error, the machine is shown all the same', async () => {
  const box = await look({ settings: { model: { path: path.join(folder, 'none') } } });
  assert.equal(box.model.name, undefined);
  assert.equal(box.cpu.cores.length, 4);
  assert.equal(box.problems.length, 1);
  assert.match(box.problems[0]?.what ?? '', /does not exist/);
});

test('look: a GPU without its kernel is an error that says what to do', async () => {
  const box = await look({ machine: probed(h200), addon: addonWith('monokernel.gfx942.co') });
  assert.equal(box.engine.chosen, 'cpu');
  assert.match(box.engine.why, /kernel for NVIDIA H200 is missing/);
  assert.match(box.problems[0]?.what ?? '', /monokernel\.sm_90\.ptx/);
  assert.match(box.problems[0]?.remedy ?? '', /Install a package of the extension that holds it/);
  const others = await look({ machine: probed(rtx4090), addon: addonWith('monokernel.sm_90.ptx') });
  assert.equal(others.engine.chosen, 'cpu');
  assert.deepEqual(
    others.problems.map(({ severity, what }) => [severity, what]),
    [['error', 'A GPU of kind sm_80 is there, but its kernel monokernel.sm_80.ptx is not.']],
  );
});

test('look: a GPU with its kernel runs the model', async () => {
  const addon = addonWith('monokernel.gfx942.co', 'monokernel.sm_90.ptx');
  const box = await look({ machine: probed({ ...mi300x, calibration }), addon });
  assert.equal(box.engine.chosen, 'gfx942');
  assert.equal(box.placement.length, 8);
  assert.deepEqual(box.problems, []);
  const [hint, ...others] = (await look({ machine: probed(mi300x), addon })).problems;
  assert.match(hint?.what ?? '', /never measured \(GPU 0\)/);
  assert.match(hint?.remedy ?? '', /Measure GPU Memory/);
  assert.deepEqual(others, []);
  assert.equal((await look({ machine: probed(h200), addon })).engine.chosen, 'sm_90');
  const card = await look({ machine: probed(rtx4090), addon: addonWith('monokernel.sm_80.ptx') });
  assert.equal(card.engine.chosen, 'sm_80');
  assert.deepEqual(card.placement, [{ gpu: 0, die: 0, lanes: [0, 1, 2, 3, 4, 5, 6, 7] }]);
  assert.deepEqual(card.problems, []);
});

test('look: what the native side says of other GPUs and broken calibrations becomes hints', async () => {
  const gpuReason =
    'HIP: AMD Radeon, gfx1100: not usable, the kernel is built for gfx942\nthe calibration /c/t.json is not used: broken\n';
  const box = await look({ machine: { ...probed(), gpuReason } });
  assert.deepEqual(
    box.problems.map(({ what }) => what.slice(0, 30)),
    ['HIP: AMD Radeon, gfx1100: not ', 'The calibration /c/t.json is n'],
  );
});

test('choice: the setting, the GPUs and the kernels decide', () => {
  const all = targetsInOrder.map((target) => ({ name: kernelFile(target) }));
  const chosen = (setting: Settings['engine'], gpus: (typeof mi300x)[], kernels = all): string | undefined =>
    chooseEngine(setting, gpus, kernels).chosen;
  assert.equal(chosen('cpu', [mi300x]), 'cpu');
  assert.equal(chosen('auto', []), 'cpu');
  assert.equal(chosen('auto', [h200, mi300x]), 'gfx942');
  assert.equal(chosen('gfx942', [h200, mi300x]), 'gfx942');
  assert.equal(chosen('gfx942', [h200]), undefined);
  assert.equal(chosen('sm_90', [h200], []), undefined);
  assert.equal(chosen('auto', [h200, mi300x], [{ name: 'monokernel.gfx942.co' }]), 'gfx942');
});

test('choice: auto takes a graphics card where there is nothing better that has its kernel', () => {
  const all = targetsInOrder.map((target) => ({ name: kernelFile(target) }));
  const chosen = (gpus: (typeof rtx4090)[], kernels = all): string | undefined =>
    chooseEngine('auto', gpus, kernels).chosen;
  assert.equal(chosen([rtx4090]), 'sm_80');
  assert.equal(chosen([rtx4090, { ...h200, index: 1 }]), 'sm_90');
  assert.equal(chosen([rtx4090, { ...h200, index: 1 }], [{ name: 'monokernel.sm_80.ptx' }]), 'sm_80');
  assert.equal(chosen([rtx4090, mi300x]), 'gfx942');
  assert.equal(chooseEngine('sm_80', [h200], all).chosen, undefined);
});

test('look: lanes are drawn on the GPUs that the loaded model is on', async () => {
  const machine = probed(h200, { ...h200, index: 1 });
  const addon = addonWith('monokernel.sm_90.ptx');
  const gpusOf = async (gpuCount?: number): Promise<number[]> => {
    const box = await look({
      machine,
      addon,
      ...(gpuCount === undefined ? {} : { running: { description: 'x', gpuCount } }),
    });
    assert.equal(box.engine.running, gpuCount === undefined ? undefined : 'x');
    return box.placement.map(({ gpu }) => gpu);
  };
  assert.deepEqual(await gpusOf(), [0, 1]);
  assert.deepEqual(await gpusOf(1), [0]);
  assert.deepEqual(await gpusOf(0), []); // it did not fit: the CPU runs it
  const plainOnTwo = placeLanes([h200, { ...h200, index: 1 }], 'sm_90', 1, 2);
  assert.deepEqual(
    plainOnTwo.map(({ gpu, lanes }) => [gpu, ...lanes]),
    [
      [0, 0],
      [1, 1],
    ],
  );
});

test('placement: every lane on some die, eight on eight dies one each', () => {
  const gpu = { ...mi300x };
  assert.deepEqual(
    placeLanes([gpu], 'gfx942', 8).map(({ die, lanes }) => [die, ...lanes]),
    [0, 1, 2, 3, 4, 5, 6, 7].map((die) => [die, die]),
  );
  for (const lanes of [1, 2, 3, 4, 8, 16, 32]) {
    const placed = placeLanes([gpu], 'gfx942', lanes);
    assert.equal(placed.length, 8);
    assert.deepEqual(
      [...new Set(placed.flatMap((place) => place.lanes))].sort((one, other) => one - other),
      Array.from({ length: lanes }, (_, lane) => lane),
    );
  }
  assert.deepEqual(placeLanes([h200], 'sm_90', 8), [{ gpu: 0, die: 0, lanes: [0, 1, 2, 3, 4, 5, 6, 7] }]);
  assert.deepEqual(placeLanes([h200], 'cpu', 8), []);
});

test('placement: lanes over as many GPUs of the kind as have whole lanes, in order', () => {
  const lanesOn = (count: number, lanes: number) => {
    const gpus = Array.from({ length: count }, (_, index) => ({ ...h200, index }));
    return placeLanes([...gpus, { ...mi300x, index: count }], 'sm_90', lanes).map(({ gpu, lanes }) => [gpu, ...lanes]);
  };
  assert.deepEqual(lanesOn(3, 8), [
    [0, 0, 1, 2, 3],
    [1, 4, 5, 6, 7],
  ]);
  assert.deepEqual(
    lanesOn(8, 8),
    [0, 1, 2, 3, 4, 5, 6, 7].map((gpu) => [gpu, gpu]),
  );
  assert.deepEqual(lanesOn(8, 1), [[0, 0]]);
});

test('placement: GPUs of another name than the first of the kind have no lanes', () => {
  const cards = [rtx4090, { ...rtx4090, name: 'NVIDIA GeForce RTX 3090', index: 1, computeUnits: 82 }];
  const lanesOn = (gpus: typeof cards) => placeLanes(gpus, 'sm_80', 8).map(({ gpu, lanes }) => [gpu, ...lanes]);
  assert.deepEqual(lanesOn(cards), [[0, 0, 1, 2, 3, 4, 5, 6, 7]]);
  assert.deepEqual(lanesOn([{ ...h200, index: 2 }, ...cards, { ...rtx4090, index: 3 }]), [
    [0, 0, 1, 2, 3],
    [3, 4, 5, 6, 7],
  ]);
});

test('report: every part has its line, the measured times theirs', async () => {
  const addon = addonWith('monokernel.gfx942.co');
  const text = reportOf(await look({ machine: probed({ ...mi300x, calibration }), addon }));
  for (const part of ['Engine', 'CPU', 'GPU', 'Kernels', 'Model', 'Placement', 'Problems']) {
    assert.match(text, new RegExp(`^${part} +\\S`, 'm'));
  }
  assert.match(text, /8 dies, 304 compute units, 8 memory stacks on 4 I\/O dies, 206 GB/);
  assert.match(text, /round trip 641 ns near, 1152 ns far; weights are placed by it$/m);
  assert.match(text, /^Problems +none$/m);
  assert.match(
    reportOf(await look({ machine: probed(mi300x), addon })),
    /memory by die: not measured; weights lie anywhere$/m,
  );
});

test('report: names no npm command, whatever is missing: an installed extension has none', async () => {
  const gpuReason = 'the calibration /c/t.json is not used: broken; delete it\n';
  const bare = await look({ machine: { ...probed(mi300x, h200), gpuReason } });
  assert.equal(bare.problems.length, 3);
  const unloaded = await look({ machine: missingAddon('/x/monokernel.node') });
  for (const box of [bare, unloaded]) assert.doesNotMatch(reportOf(box), /npm/);
  assert.match(reportOf(bare), /^Kernels +none: GPUs cannot be used$/m);
  assert.match(
    reportOf(bare),
    /The calibration \/c\/t\.json is not used: broken; delete it\. Until memory is measured again, weights lie anywhere/,
  );
});
