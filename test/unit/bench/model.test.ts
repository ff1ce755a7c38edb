import assert from 'node:assert/strict';
import { test } from 'node:test';
import { costsOf, tokenTime } from '../../../bench/model/costs';
import { EventQueue } from '../../../bench/model/event_queue';
import { inputs } from '../../../bench/model/inputs';
import { makePlan, type Structure } from '../../../bench/model/plan';
import { published } from '../../../bench/model/published';
import { bytesOfToken, laneformer2b } from '../../../bench/model/shape';
import { simulate } from '../../../bench/model/simulate';
import {
  kog,
  kogByDie,
  lanesInTurn,
  mailboxesAtHome,
  ours,
  unpadded,
  weightsAtHome,
} from '../../../bench/model/structures';
import { paddedBytes } from '../../../bench/model/tiles';

test('machine model: Kog’s two published rates within 10 %', () => {
  for (const { structure, rate } of published) {
    const modelled = 1e6 / tokenTime(structure);
    assert.ok(Math.abs(modelled / rate - 1) < 0.1, `${structure.name}: ${modelled.toFixed(0)} tok/s, not ${rate}`);
  }
  assert.deepEqual(
    published.map(({ rate }) => rate),
    [3000, 3300],
  );
});

test('machine model: the rates follow from hand-offs and memory, not from one number alone', () => {
  for (const [cost, factor] of Object.entries({ handOff: 0, rate: 10, loadRestart: 0 })) {
    const modelled = 1e6 / tokenTime(kog, { [cost]: factor });
    assert.ok(modelled > 3300, `without ${cost}: ${modelled.toFixed(0)} tok/s`);
  }
  assert.ok(1e6 / tokenTime(kog, { handOff: 7.8 / 0.9 }) < 1500); // the barrier that Kog had before
});

test('machine model: every weight is read once, and no faster than memory gives it', () => {
  assert.equal(bytesOfToken(laneformer2b), 4_443_340_800);
  for (const structure of [kog, kogByDie, unpadded(ours(1)), unpadded(ours(8))]) {
    const { time, bytes } = simulate(makePlan(laneformer2b, structure));
    assert.ok(Math.abs((bytes * structure.devices) / bytesOfToken(laneformer2b) - 1) < 1e-6, structure.name);
    assert.ok(time > bytes / inputs.bestRate.value, structure.name);
  }
});

test('machine model: the same token each time, and no slower with weights and mailboxes at home', () => {
  assert.equal(tokenTime(ours(8)), tokenTime(ours(8)));
  for (const devices of [4, 8]) {
    assert.ok(tokenTime(mailboxesAtHome(weightsAtHome(ours(devices)))) < tokenTime(ours(devices)));
  }
  assert.ok(tokenTime(ours(8)) < tokenTime(ours(4)) && tokenTime(ours(4)) < tokenTime(ours(2)));
});

test('machine model: lanes that begin in turn read the same, and help where they share a memory', () => {
  for (const structure of [ours(2), weightsAtHome(ours(2))]) {
    const read = (turned: Structure) => simulate(makePlan(laneformer2b, turned)).bytes;
    assert.equal(read(lanesInTurn(structure)), read(structure));
  }
  assert.ok(tokenTime(lanesInTurn(ours(2))) < tokenTime(ours(2)));
  assert.ok(tokenTime(lanesInTurn(weightsAtHome(ours(2)))) > tokenTime(weightsAtHome(ours(2))));
  assert.equal(tokenTime(lanesInTurn(ours(8))), tokenTime(ours(8))); // a device has one lane
});

test('machine model: a cost that is made free saves no more than the token took', () => {
  const costs = costsOf(ours(8));
  assert.equal(costs.length, 7);
  for (const { name, saved } of costs) assert.ok(saved >= 0 && saved < tokenTime(ours(8)), name);
});

test('machine model: tiles are padded as native/exec/gpu/matrix_packing.cpp pads them', () => {
  const gfx942 = { waves: 4, tileBlocks: 8, maxGroups: 2 };
  // chooseLayout and memberBytes for the 2B shape's matrices over 304 and 38 workgroups: rows, depth, rules, bytes.
  const expected: [number, number, number, boolean, number][] = [
    [3, 3072, 1, true, 18432],
    [12, 384, 2, false, 12288],
    [12, 3072, 4, true, 73728],
    [12, 1536, 2, false, 36864],
    [14, 3072, 1, true, 86016],
    [21, 3072, 1, true, 135168],
    [82, 384, 2, false, 67584],
    [84, 3072, 4, true, 516096],
    [82, 1536, 2, false, 258048],
    [106, 3072, 1, true, 688128],
  ];
  for (const [rows, depth, rowMultiple, ownSlices, bytes] of expected) {
    assert.equal(paddedBytes(gfx942, rows, depth, { rowMultiple, ownSlices }), bytes);
  }
});

test('event queue: by time, then by arrival', () => {
  const queue = new EventQueue<number>();
  const times = [5, 1, 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3];
  times.forEach((time, index) => {
    queue.push(time, index);
  });
  const order = times
    .map((_, index) => index)
    .sort((one, other) => (times[one] ?? 0) - (times[other] ?? 0) || one - other);
  assert.deepEqual(
    order.map(() => queue.pop()?.event),
    order,
  );
  assert.equal(queue.pop(), undefined);
});
