import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantizeQ8, toBfloat16, toFloat16, widenBfloat16 } from '../../../bench/peers/models/numbers';
import { pairHalves, pairNeighbours } from '../../../bench/peers/models/rope_rows';

test('bfloat16 rounds to nearest, ties to even', () => {
  assert.equal(toBfloat16(1), 0x3f80);
  assert.equal(toBfloat16(1 + 2 ** -8), 0x3f80);
  assert.equal(toBfloat16(1 + 3 * 2 ** -8), 0x3f82);
  assert.equal(toBfloat16(-2.5), 0xc020);
  assert.deepEqual([...widenBfloat16(Uint16Array.of(0x3f80, 0xc020))], [1, -2.5]);
});

test('halves: normal, subnormal, carries and overflow', () => {
  assert.equal(toFloat16(1), 0x3c00);
  assert.equal(toFloat16(-2), 0xc000);
  assert.equal(toFloat16(65504), 0x7bff);
  assert.equal(toFloat16(65520), 0x7c00);
  assert.equal(toFloat16(2 ** -14), 0x0400);
  assert.equal(toFloat16(2 ** -24), 0x0001);
  assert.equal(toFloat16(2 ** -25), 0x0000);
  assert.equal(toFloat16(1 + 2 ** -11), 0x3c00);
  assert.equal(toFloat16(1 + 3 * 2 ** -11), 0x3c02);
  assert.equal(toFloat16(2 - 2 ** -12), 0x4000);
});

test('q8_0: scale of the largest value, halves away from zero, zeros', () => {
  const values = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? 0 : i - 48));
  values[32] = 127;
  values[33] = -0.5;
  values[34] = 0.5;
  const bytes = quantizeQ8(values);
  assert.equal(bytes.length, 68);
  assert.ok(bytes.subarray(0, 34).every((byte) => byte === 0));
  assert.deepEqual([...bytes.subarray(34, 36)], [0x00, 0x3c]);
  assert.deepEqual([...new Int8Array(bytes.slice(36, 41).buffer)], [127, -1, 1, -13, -12]);
  assert.throws(() => quantizeQ8(new Float32Array(33)), RangeError);
});

test('row orders of RoPE pairs: i and i + half become neighbours, and back', () => {
  const rows = Uint16Array.of(10, 11, 12, 13, 20, 21, 22, 23);
  const neighbours = pairNeighbours(rows, 1, 4);
  assert.deepEqual([...neighbours], [10, 12, 11, 13, 20, 22, 21, 23]);
  assert.deepEqual([...pairHalves(neighbours, 1, 4)], [...rows]);
  assert.deepEqual([...pairNeighbours(Uint16Array.of(1, 2, 3, 4, 5, 6, 7, 8), 2, 4)], [1, 2, 5, 6, 3, 4, 7, 8]);
});
