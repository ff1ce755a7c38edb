import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figureOf, type Sample } from '../../../bench/peers/statistics';
import { commonHandOff, isTakenAt } from '../../../bench/peers/steadiness';

const sample = (value: number, handOffs?: [number, number], foreign = 0): Sample => ({
  value,
  foreign,
  ...(handOffs && { handOffs }),
});

test('a figure is of samples whose processors lay alike, where the course with the fewest has most of them', () => {
  const ours = [
    ...[494, 490, 498, 492].map((rate) => sample(rate, [40, 52])),
    ...[744, 740, 748].map((rate) => sample(rate, [190, 210])),
    sample(600, [41, 188]), // moved meanwhile
  ];
  const theirs = [sample(270, [44, 45]), ...[263, 262, 266].map((rate) => sample(rate, [185, 230]))];
  const common = commonHandOff([ours, theirs]);
  assert.ok(common !== undefined && common > 180 && common < 230, `${common}`);
  assert.deepEqual(figureOf(ours, isTakenAt(common)), {
    median: 744,
    spread: 4 / 2 / 744,
    samples: 3,
    disturbed: false,
  });
  assert.equal(figureOf(theirs, isTakenAt(common)).median, 263);
});

test('too few samples whose processors lay alike are marked as disturbed, and so are those beside other programs', () => {
  const mixed = [sample(1, [40, 40]), sample(2, [200, 200]), sample(3, [200, 40])];
  assert.equal(figureOf(mixed, isTakenAt(commonHandOff([mixed]))).disturbed, true);
  const crowded = [1, 2, 3].map((value) => sample(value, [40, 40], 0.5));
  assert.equal(commonHandOff([crowded]), undefined);
  assert.equal(figureOf(crowded, isTakenAt(undefined)).disturbed, true);
});

test('without measured hand-offs all quiet samples count', () => {
  const samples = [1, 2, 3].map((value) => sample(value));
  assert.equal(commonHandOff([samples]), undefined);
  assert.deepEqual(figureOf(samples, isTakenAt(undefined)), { median: 2, spread: 0.25, samples: 3, disturbed: false });
});
