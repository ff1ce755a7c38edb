import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { root } from './nano';

const ptx = path.join(root, 'native/prebuilds/kernels/monokernel.sm_90.ptx');

// Without a rounding modifier the driver's compiler may fuse a product with a sum, here so and there otherwise: a
// prompt's logits can then depend on how many of its tokens ran together. (They did on an H200; a race with the copy engine is the likelier cause.)
test(
  'kernel: every f32 sum and product for sm_90 says how it rounds',
  { skip: !existsSync(ptx) && 'no kernel was built' },
  () => {
    const text = readFileSync(ptx, 'utf8');
    assert.deepEqual(text.match(/\b(add|sub|mul|mad)\.(ftz\.)?f32\b/g) ?? [], []);
    assert.match(text, /\bfma\.rn\.f32\b/);
  },
);

// Without the fence the copy engine may write a slot of the ring before a wave has read the tile in it. (It did on an
// H100 and an H200, in builds that were short of registers.)
test(
  'kernel: every copy into shared memory for sm_90 comes after a fence',
  { skip: !existsSync(ptx) && 'no kernel was built' },
  () => {
    const waits = readFileSync(ptx, 'utf8').match(/^\s*(cp\.async\.bulk\.shared|fence\.proxy\.async)/gm) ?? [];
    const order = waits.map((line) => (line.includes('fence') ? 'fence' : 'copy'));
    assert.ok(order.length > 0);
    assert.deepEqual(
      order,
      order.map((_, i) => (i % 2 === 0 ? 'fence' : 'copy')),
    );
  },
);
