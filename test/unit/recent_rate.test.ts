import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentRate } from '../../lsp-server/recent_rate';

/** A request that decoded `tokens` in `decodeTime` milliseconds. */
const request = (tokens: number, decodeTime: number) => ({ decodeTime, decodeRate: (tokens * 1000) / decodeTime });

test('recent rate: nothing is said before eight decoded tokens', () => {
  const rate = new RecentRate();
  rate.add(request(2, 240)); // 8.3 tokens/s, of which a person would conclude something
  assert.equal(rate.value, 0);
  rate.add(request(5, 50));
  assert.equal(rate.value, 0);
  rate.add(request(1, 10));
  assert.ok(Math.abs(rate.value - 8 / 0.3) < 1e-9);
});

test('recent rate: tokens by time, not the mean of rates', () => {
  const rate = new RecentRate();
  rate.add(request(2, 240));
  rate.add(request(98, 760));
  assert.ok(Math.abs(rate.value - 100) < 1e-9);
});

test('recent rate: the latest sixteen requests count, those without tokens do not', () => {
  const rate = new RecentRate();
  rate.add(request(10, 10_000));
  for (let i = 0; i < 16; i++) rate.add(request(10, 100));
  for (let i = 0; i < 20; i++) rate.add({ decodeRate: 0, decodeTime: 0 });
  assert.ok(Math.abs(rate.value - 100) < 1e-9);
});
