import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { TopologyResult } from '../../lsp-server/protocol';

/** Runs the program that `npm run build` makes, as `npm run doctor` does. */
function doctor(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['dist/doctor.js', ...args], { encoding: 'utf8', timeout: 60_000 });
}

function hasGpu(): boolean {
  return (JSON.parse(doctor('--json').stdout) as TopologyResult).gpus.length > 0;
}

test('doctor: the machine in text, and 0 when the model can run', () => {
  const { status, stdout, stderr } = doctor('--engine', 'cpu');
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^Engine +version/);
  assert.match(stdout, /setting "cpu": cpu, because the setting asks for the CPU/);
  assert.match(stdout, /^CPU .*\d+ cores?, of which \d+ may be used$/m);
  assert.match(stdout, /^Placement +\d+ workers? on the CPU/m);
});

test('doctor: the same as JSON', () => {
  const { status, stdout } = doctor('--json', '--engine', 'cpu');
  assert.equal(status, 0);
  const box = JSON.parse(stdout) as TopologyResult;
  assert.equal(box.engine.chosen, 'cpu');
  assert.equal(box.model.name, 'laneformer-nano');
});

test('doctor: 1 and what to do when the model cannot run', () => {
  const { status, stdout } = doctor('--model', '/nowhere/at/all');
  assert.equal(status, 1);
  assert.match(stdout, /^Problems +ERROR: The model folder \/nowhere\/at\/all does not exist\./m);
});

test('doctor: a calibration without a GPU says so and is no failure', { skip: hasGpu() }, () => {
  const { status, stderr } = doctor('--calibrate', '--engine', 'cpu');
  assert.equal(status, 0, stderr);
  assert.match(stderr, /There is no GPU to calibrate/);
});

test('doctor: 2 and the usage for what it does not know', () => {
  for (const args of [['--engine', 'tpu'], ['--nonsense']]) {
    const { status, stderr } = doctor(...args);
    assert.equal(status, 2);
    assert.match(stderr, /Usage: npm run doctor/);
  }
});
