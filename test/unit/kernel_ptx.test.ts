import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { kernelFile } from '../../lsp-server/topology/choice';
import { root } from './nano';

/** For each NVIDIA kernel, its copies into shared memory, and in them the register that says where or how much. */
const copiesOf = {
  sm_90: /cp\.async\.bulk\.shared\S* \[%\w+\],\[%\w+\],(%\w+)/g, // the size
  sm_80: /cp\.async\.cg\.shared\S* \[(%\w+)\+\d+\]/g, // the address, which the copies of a fetch share
};
const targets = ['sm_90', 'sm_80'] as const;

const ptxOf = (target: (typeof targets)[number]): string =>
  path.join(root, 'native/prebuilds/kernels', kernelFile(target));

/** What each register of a PTX text is made of, whatever the order of the instructions. */
function registerSources(text: string): Map<string, string[]> {
  const sources = new Map<string, string[]>();
  for (const [, made = '', from = ''] of text.matchAll(/^\s*[\w.]+\s+(\{[^}]*\}|%\w+),(.*);/gm)) {
    for (const register of made.match(/%\w+/g) ?? []) {
      sources.set(register, [...(sources.get(register) ?? []), ...(from.match(/%\w+/g) ?? [])]);
    }
  }
  return sources;
}

/** `register` and all that it is made of. */
function madeOf(register: string, sources: ReadonlyMap<string, string[]>): Set<string> {
  const found = new Set([register]);
  for (const one of found) {
    for (const source of sources.get(one) ?? []) {
      found.add(source);
    }
  }
  return found;
}

for (const target of targets) {
  const ptx = ptxOf(target);
  const skip = !existsSync(ptx) && 'no kernel was built';

  // Without a rounding modifier the driver's compiler may fuse a product with a sum, here so and there otherwise: a
  // prompt's logits can then depend on how many of its tokens ran together. (They did on an H200; a race with the copy engine is the likelier cause.)
  test(`kernel: every f32 sum and product for ${target} says how it rounds`, { skip }, () => {
    const text = readFileSync(ptx, 'utf8');
    assert.deepEqual(text.match(/\b(add|sub|mul|mad)\.(ftz\.)?f32\b/g) ?? [], []);
    assert.match(text, /\bfma\.rn\.f32\b/);
  });

  // The copy engine does not wait for a wave's reads of the slot that it fills. (It overtook them on an H100 and an H200,
  // in builds that were short of registers.) So a copy's size, or its address, is made of what was read.
  test(
    `kernel: every copy into shared memory for ${target} depends on the reads of what it overwrites`,
    { skip },
    () => {
      const text = readFileSync(ptx, 'utf8');
      const sources = registerSources(text);
      const reads = Array.from(
        text.matchAll(/begin inline asm\s+ld\.shared\.v4\.u32 \{(%\w+)/g),
        ([, word = '']) => word,
      );
      const fills = new Set(Array.from(text.matchAll(copiesOf[target]), ([, register = '']) => register));
      const waiting = [...fills]
        .map((register) => madeOf(register, sources))
        .filter((made) => reads.some((word) => made.has(word)));
      assert.ok(reads.length > 0 && fills.size > 1);
      assert.equal(waiting.length, fills.size - 1, 'all but the one that fills an empty ring');
      assert.deepEqual(
        reads.filter((word) => !waiting.some((made) => made.has(word))),
        [],
      );
    },
  );
}
