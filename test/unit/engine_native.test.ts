import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { EngineError } from '../../lsp-server/engine/contract';
import type { NativeEngine } from '../../lsp-server/engine/native';
import { loadEngine } from '../../lsp-server/engine/native';
import { addon, delay, engineOptions, nanoModel, tinyModel, tokensOf } from './engine_support';

interface Golden {
  prompt: number[];
  greedy: number[];
  greedy_margin: number[];
  logits_std: number;
}

const golden = JSON.parse(readFileSync(path.join(tinyModel, 'golden.json'), 'utf8')) as Golden;
const all = { maxTokens: golden.greedy.length, stopTokens: [] };

let tiny: NativeEngine;
let nano: NativeEngine;
before(async () => {
  tiny = await loadEngine(addon, tinyModel, engineOptions);
  nano = await loadEngine(addon, nanoModel, engineOptions);
});
after(async () => {
  await tiny.dispose();
  await nano.dispose();
});

const failsWith = (code: string, part: RegExp) => (error: unknown) => {
  assert(error instanceof EngineError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, part);
  return true;
};

/** A long run of the nano model; different seeds have no prefix in common. */
const longRun = (seed: number) => nano.generate([seed, seed + 1, seed + 2], { maxTokens: 1500, stopTokens: [] });

void test('engine: facts of the model', () => {
  assert.equal(tiny.model.family, 'laneformer');
  assert.equal(tiny.model.vocabularySize, 320);
  assert.equal(tiny.model.contextLength, 256);
  assert.deepEqual(tiny.model.endTokens, [0]);
  assert.match(tiny.model.description, /cpu/i);
  assert.match(tiny.model.deviceReason ?? '', /CPU/);
  assert(tiny.model.memoryBytes > 0);
});

void test('engine: int8 when it is asked for, and said so', async () => {
  const engine = await loadEngine(addon, tinyModel, { ...engineOptions, precision: 'int8' });
  try {
    assert.equal(engine.model.precision, 'int8');
    assert.match(engine.model.description, /int8 weights/);
    assert.equal((await tokensOf(engine.generate(golden.prompt, all))).length, golden.greedy.length);
    assert(engine.model.memoryBytes < tiny.model.memoryBytes);
  } finally {
    await engine.dispose();
  }
  assert.equal(tiny.model.precision, 'stored');
  assert.match(tiny.model.precisionReason ?? '', /as stored: .* MB/);
});

void test('engine: greedy tokens are the golden ones, in order, with log-probabilities', async () => {
  const generation = tiny.generate(golden.prompt, all);
  const tokens = await tokensOf(generation);
  const sure = golden.greedy_margin.findIndex((margin) => margin < 3e-2 * golden.logits_std);
  const compared = sure < 0 ? golden.greedy.length : sure;
  assert(compared > 0);
  assert.deepEqual(
    tokens.slice(0, compared).map(({ token }) => token),
    golden.greedy.slice(0, compared),
  );
  assert.equal(tokens.length, golden.greedy.length);
  assert(tokens.every(({ logprob }) => logprob < 0 && logprob > -10));
  const statistics = await generation.done;
  assert.equal(statistics.generated, tokens.length);
  assert.equal(statistics.prefilled + statistics.reused, golden.prompt.length);
  assert.equal(statistics.stop, 'maxTokens');
  assert(statistics.timeToFirstToken > 0 && statistics.decodeRate > 0);
});

void test('engine: a repeated prompt is reused and gives the same tokens', async () => {
  const first = await tokensOf(tiny.generate(golden.prompt, all));
  const again = tiny.generate(Int32Array.from(golden.prompt), all);
  assert.deepEqual(await tokensOf(again), first);
  assert.equal((await again.done).reused, golden.prompt.length - 1);
});

void test('engine: sampling repeats with its seed and differs from greedy', async () => {
  const sampled = (seed: number) => tokensOf(tiny.generate(golden.prompt, { ...all, temperature: 5, seed }));
  const one = await sampled(1);
  assert.deepEqual(await sampled(1), one);
  assert.notDeepEqual(await sampled(2), one);
});

void test('engine: speculation gives the same tokens, and says what it drafted', async () => {
  const prompt = Array.from({ length: 48 }, (_, index) => 100 + (index % 6));
  const limits = { maxTokens: 64, stopTokens: [] };
  assert.equal(nano.model.speculates, true);
  const before = nano.statistics();
  const plain = nano.generate(prompt, limits);
  const expected = await tokensOf(plain);
  assert.equal((await plain.done).drafted, 0);
  const speculative = nano.generate(prompt, { ...limits, speculation: 'promptLookup' });
  assert.deepEqual(await tokensOf(speculative), expected);
  const { drafted, accepted } = await speculative.done;
  assert(drafted >= accepted && drafted > 0);
  const after = nano.statistics();
  assert.equal(after.draftedTokens - before.draftedTokens, drafted);
  assert.equal(after.acceptedTokens - before.acceptedTokens, accepted);
});

void test('engine: a stop token ends the request and is not given', async () => {
  const stop = golden.greedy[3];
  assert(stop !== undefined);
  const generation = tiny.generate(golden.prompt, { ...all, stopTokens: [stop] });
  const tokens = await tokensOf(generation);
  assert.equal((await generation.done).stop, 'stopToken');
  assert.equal(tokens.length, golden.greedy.indexOf(stop));
});

void test('engine: cancel ends the iteration at once and the request soon', async () => {
  const generation = longRun(100);
  const iterator = generation[Symbol.asyncIterator]();
  await iterator.next();
  const waiting = iterator.next();
  generation.cancel();
  const later = delay(0).then(() => 'later');
  assert.deepEqual(await Promise.race([waiting, later]), { done: true, value: undefined });
  const statistics = await generation.done;
  assert.equal(statistics.stop, 'cancelled');
  assert(statistics.generated < 100, `${statistics.generated} tokens were made`);
});

void test('engine: leaving the iteration cancels', async () => {
  const generation = longRun(200);
  for await (const batch of generation) {
    assert(batch.length > 0);
    break;
  }
  assert.equal((await generation.done).stop, 'cancelled');
});

void test('engine: a cancelled waiting request ends before the running one', async () => {
  const running = longRun(300);
  const waiting = longRun(400);
  let ended = false;
  void running.done.then(() => (ended = true));
  await running[Symbol.asyncIterator]().next();
  waiting.cancel();
  const statistics = await waiting.done;
  assert.equal(statistics.stop, 'cancelled');
  assert.equal(statistics.generated, 0);
  assert.equal(ended, false);
  running.cancel();
  await running.done;
});

void test('engine: requests after a cancelled one are right', async () => {
  const expected = await tokensOf(nano.generate([5, 6, 7], { maxTokens: 8, stopTokens: [] }));
  const cancelled = nano.generate([5, 6, 7], { maxTokens: 500, stopTokens: [] });
  await cancelled[Symbol.asyncIterator]().next();
  cancelled.cancel();
  assert.deepEqual(await tokensOf(nano.generate([5, 6, 7], { maxTokens: 8, stopTokens: [] })), expected);
});

void test('engine: a blocked event loop gets one large batch, none is lost', async () => {
  const generation = tiny.generate([50, 51], { maxTokens: 100, stopTokens: [] });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000); // blocks this thread, leaves the cores to the engine
  const sizes: number[] = [];
  for await (const batch of generation) sizes.push(batch.length);
  assert(Math.max(...sizes) > 2, 'the tokens made meanwhile come together');
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    100,
  );
});

void test('engine: the event loop goes on while it loads and generates', async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const start = performance.now();
  const engine = await loadEngine(addon, nanoModel, engineOptions);
  await engine.generate([1, 2, 3], { maxTokens: 60, stopTokens: [] }).done;
  const elapsed = performance.now() - start;
  clearInterval(timer);
  await engine.dispose();
  assert(ticks > elapsed / 5 / 10, `${ticks} ticks of 5 ms in ${elapsed} ms`);
});

void test('engine: impossible requests fail in the iteration and in done', async () => {
  const cases: [number[], object, string, RegExp][] = [
    [[], {}, 'requestInvalid', /prompt is empty/],
    [[1, 320], {}, 'requestInvalid', /prompt token 1 is 320/],
    [Array<number>(257).fill(1), {}, 'requestInvalid', /257 tokens, the context holds 256/],
    [[1], { topP: 0 }, 'requestInvalid', /topP/],
  ];
  for (const [tokens, options, code, part] of cases) {
    const generation = tiny.generate(tokens, { ...all, ...options });
    await assert.rejects(tokensOf(generation), failsWith(code, part));
    await assert.rejects(generation.done, failsWith(code, part));
  }
  assert.throws(() => tiny.generate([1], { ...all, maxTokens: -1 }), failsWith('optionInvalid', /maxTokens/));
});

void test('engine: broken folders are told apart', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'monokernel-model-'));
  const copy = (name: string) => {
    const to = path.join(folder, name);
    cpSync(tinyModel, to, { recursive: true });
    return to;
  };
  const noConfig = copy('no-config');
  rmSync(path.join(noConfig, 'config.json'));
  const truncated = copy('truncated');
  truncateSync(path.join(truncated, 'model.safetensors'), 5000);
  const load = (model: string, options = {}) => loadEngine(addon, model, { ...engineOptions, ...options });
  await assert.rejects(load(path.join(folder, 'none')), failsWith('folderMissing', /none/));
  await assert.rejects(load(noConfig), failsWith('fileMissing', /config\.json/));
  await assert.rejects(load(truncated), failsWith('weightsTruncated', /model\.safetensors/));
  await assert.rejects(load(tinyModel, { instructionSet: 'abacus' }), failsWith('optionInvalid', /abacus/));
  await assert.rejects(load(tinyModel, { contextLength: 100_000 }), failsWith('optionInvalid', /limit is 256/));
  await assert.rejects(load(tinyModel, { slots: 0 }), failsWith('optionInvalid', /slots/));
  await assert.rejects(load(tinyModel, { device: 'tpu' }), failsWith('optionInvalid', /device/));
  await assert.rejects(
    load(tinyModel, { precision: 'int4' as 'int8' }),
    failsWith('optionInvalid', /precision must be one of 'auto', 'bf16', 'int8'.*'int4'/),
  );
  rmSync(folder, { recursive: true });
});

void test('engine: a module that is not the addon is refused', async () => {
  await assert.rejects(
    loadEngine('node:fs', tinyModel, engineOptions),
    failsWith('addonUnusable', /is not Monokernel/),
  );
  await assert.rejects(
    loadEngine('/none.node', tinyModel, engineOptions),
    failsWith('addonUnusable', /cannot be loaded/),
  );
});

void test('engine: progress rises from 0 to 1', async () => {
  const seen: number[] = [];
  const engine = await loadEngine(addon, nanoModel, engineOptions, (fraction) => seen.push(fraction));
  await engine.dispose();
  assert(seen.length >= 2);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
  assert(seen.every((fraction) => fraction >= 0 && fraction <= 1));
  assert.equal(seen.at(-1), 1);
});

void test('engine: two engines at once give what each gives alone', async () => {
  const prompt = [5, 6, 7, 8];
  const limits = { maxTokens: 30, stopTokens: [] };
  const alone = [await tokensOf(tiny.generate(prompt, limits)), await tokensOf(nano.generate(prompt, limits))];
  const together = await Promise.all([
    tokensOf(tiny.generate(prompt, limits)),
    tokensOf(nano.generate(prompt, limits)),
  ]);
  assert.deepEqual(together, alone);
});

void test('engine: statistics add up', async () => {
  const engine = await loadEngine(addon, tinyModel, engineOptions);
  await engine.generate(golden.prompt, all).done;
  await engine.generate(golden.prompt, all).done;
  const sums = engine.statistics();
  assert.equal(sums.requests, 2);
  assert.equal(sums.prefilledTokens, golden.prompt.length + 1);
  assert.equal(sums.reusedTokens, golden.prompt.length - 1);
  assert.equal(sums.generatedTokens, 2 * golden.greedy.length);
  await engine.dispose();
  assert.throws(() => engine.statistics(), failsWith('disposed', /load it again/));
});

void test('engine: dispose while generating cancels what runs and fails what waits', async () => {
  const engine = await loadEngine(addon, nanoModel, engineOptions);
  const running = engine.generate([1, 2], { maxTokens: 1000, stopTokens: [] });
  const waiting = engine.generate([3, 4], { maxTokens: 1000, stopTokens: [] });
  await running[Symbol.asyncIterator]().next();
  await Promise.all([engine.dispose(), engine.dispose()]);
  assert.equal((await running.done).stop, 'cancelled');
  await assert.rejects(waiting.done, failsWith('engineClosed', /closed/));
  assert.throws(() => engine.generate([1], all), failsWith('disposed', /load it again/));
  running.cancel();
  await engine.dispose();
  await delay(0);
});
