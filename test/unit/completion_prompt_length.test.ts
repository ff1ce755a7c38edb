import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { PromptLength } from '../../lsp-server/completion/prompt_length';

/** The lengths that come of engines that read so many tokens a second, one whole prompt after another. */
function settles(rates: readonly number[]): number[] {
  const length = new PromptLength();
  return rates.map((rate) => {
    length.observe({ prefilled: length.current, timeToFirstToken: (length.current * 1000) / rate });
    return length.current;
  });
}

suite('completion: length of prompts', () => {
  test('grows step by step on a fast engine, up to the longest', () => {
    assert.deepEqual(settles([10_000, 10_000, 10_000, 10_000]), [2048, 4096, 4096, 4096]);
  });

  test('shrinks on a slow one, down to the shortest', () => {
    assert.deepEqual(settles([300, 300, 300]), [512, 512, 512]);
  });

  test('stays where it is in between, and does not swing', () => {
    assert.deepEqual(settles([1000, 1400, 900, 1300, 1000]), [1024, 1024, 1024, 1024, 1024]);
  });

  test('learns nothing from requests that reuse nearly all', () => {
    const length = new PromptLength();
    for (let request = 0; request < 5; request += 1) length.observe({ prefilled: 3, timeToFirstToken: 900 });
    assert.equal(length.current, 1024);
  });
});
