import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from '../../extension/src/client/within';

test('within: what the promise gives, and its own error', async () => {
  assert.equal(await within(10_000, Promise.resolve(3), 'too slow'), 3);
  await assert.rejects(within(10_000, Promise.reject(new Error('broken')), 'too slow'), /^Error: broken$/);
});

test('within: an error where nothing comes in time', async () => {
  await assert.rejects(within(20, new Promise(() => undefined), 'too slow'), /^Error: too slow$/);
});
