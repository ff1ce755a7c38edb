import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Completer, type CompletionRequest } from '../../lsp-server/completion/completer';
import type { Extent } from '../../lsp-server/completion/policy';
import type { GenerateStatistics } from '../../lsp-server/engine/contract';
import type { Tokenizer } from '../../lsp-server/models/tokenizer';
import { at } from './cursor';
import { FakeEngine, type Script } from './fake_engine';
import { nanoTokenizer, nanoWith } from './nano';

const never = new AbortController().signal;
const end = 0;

const request = (marked: string, extent: Extent = 'line'): CompletionRequest => ({
  context: at(marked),
  extent,
  maxTokens: 64,
  speculation: 'off',
});

/** A completer whose model answers each request with the next script, the last one again and again. */
async function completer(...scripts: ((tokenizer: Tokenizer) => Script)[]) {
  const tokenizer = await nanoTokenizer();
  const outcomes: (GenerateStatistics | Error)[] = [];
  const engine: FakeEngine = new FakeEngine(() => {
    const script = scripts[Math.min(engine.requests.length, scripts.length) - 1];
    return script?.(tokenizer) ?? { tokens: [] };
  });
  const observer = {
    started: () => undefined,
    ended: (_: number, outcome: GenerateStatistics | Error) => void outcomes.push(outcome),
  };
  return { engine, outcomes, completer: new Completer(await nanoWith(engine), observer) };
}

const says =
  (text: string, pace = 0) =>
  (tokenizer: Tokenizer): Script => ({
    tokens: [...tokenizer.encode(text), end],
    pace,
  });

suite('completer', () => {
  test('gives the rest of the line, and stops the engine there', async () => {
    const { completer: subject, engine } = await completer(says('foo(bar);\nmore();\nand more', 2));
    const found = await subject.complete(request('a = |'), never);
    assert.equal(found?.text, 'foo(bar);');
    await delay(20);
    assert.equal(engine.requests[0]?.cancelled, true);
    assert.ok(engine.requests[0].produced < 12);
  });

  test('typing through goes on with the same text, without the engine', async () => {
    const { completer: subject, engine } = await completer(says('foo(bar);'));
    await subject.complete(request('a = |'), never);
    const next = await subject.complete(request('a = foo|'), never);
    assert.equal(next?.text, '(bar);');
    const closed = await subject.complete(request('a = foo(|)'), never);
    assert.equal(closed?.text, 'bar);');
    const back = await subject.complete(request('a = f|'), never);
    assert.equal(back?.text, 'oo(bar);');
    assert.equal(engine.requests.length, 1);
  });

  test('typing something else asks again', async () => {
    const { completer: subject, engine } = await completer(says('foo'), says('ar'));
    await subject.complete(request('a = |'), never);
    assert.equal((await subject.complete(request('a = b|'), never))?.text, 'ar');
    assert.equal(engine.requests.length, 2);
  });

  test('what was typed to its end asks again', async () => {
    const { completer: subject, engine } = await completer(says('foo'), says('.bar'));
    await subject.complete(request('a = |'), never);
    assert.equal((await subject.complete(request('a = foo|'), never))?.text, '.bar');
    assert.equal(engine.requests.length, 2);
  });

  test('a generation under way is joined while the person types along', async () => {
    const { completer: subject, engine } = await completer(says('foo(bar, baz, 1234567);', 4));
    const controller = new AbortController();
    const first = subject.complete(request('a = |'), controller.signal);
    await delay(8);
    subject.documentChanged('file:///work/a.ts', 'a = f');
    controller.abort();
    const second = subject.complete(request('a = f|'), never);
    assert.equal(await first, undefined);
    assert.equal((await second)?.text, 'oo(bar, baz, 1234567);');
    assert.equal(engine.requests.length, 1);
    assert.equal(engine.requests[0]?.cancelled, false);
  });

  test('typing ahead of the engine waits for it, and joins', async () => {
    const { completer: subject, engine } = await completer(says('foo(bar);', 10));
    const first = subject.complete(request('a = |'), never);
    const second = subject.complete(request('a = foo(b|'), never);
    assert.equal((await second)?.text, 'ar);');
    assert.equal((await first)?.text, 'foo(bar);');
    assert.equal(engine.requests.length, 1);
  });

  test('typing ahead of the engine and wrong starts again when that is seen', async () => {
    const { completer: subject, engine } = await completer(says('foo(bar);', 5), says('pqr'));
    void subject.complete(request('a = |'), never);
    const second = subject.complete(request('a = xyz|'), never);
    assert.equal((await second)?.text, 'pqr');
    assert.equal(engine.requests.length, 2);
    assert.equal(engine.requests[0]?.cancelled, true);
  });

  test('a document that no longer agrees stops the engine at once', async () => {
    const { completer: subject, engine } = await completer(says('foo(bar, baz, 1, 2, 3, 4);', 5));
    const pending = subject.complete(request('a = |'), never);
    await delay(12);
    subject.documentChanged('file:///work/b.ts', 'elsewhere');
    assert.equal(engine.requests[0]?.cancelled, false);
    subject.documentChanged('file:///work/a.ts', 'a = foo');
    assert.equal(engine.requests[0].cancelled, false);
    subject.documentChanged('file:///work/a.ts', 'a = fox');
    assert.equal(engine.requests[0].cancelled, true);
    assert.equal(await pending, undefined);
  });

  test('the newest request wins', async () => {
    const { completer: subject, engine } = await completer(says('foo(bar, baz, 1, 2, 3, 4);', 5), says('x'));
    const first = subject.complete(request('a = |'), never);
    await delay(8);
    const second = subject.complete(request('b = |'), never);
    assert.equal((await second)?.text, 'x');
    assert.equal(await first, undefined);
    assert.equal(engine.requests[0]?.cancelled, true);
  });

  test('a generation that nobody waits for ends after a while', async () => {
    const { completer: subject, engine } = await completer(
      says(Array.from({ length: 300 }, (_, i) => `a${i * i}`).join(', '), 10),
    );
    const controller = new AbortController();
    const pending = subject.complete(request('foo(|)'), controller.signal);
    await delay(20);
    controller.abort();
    assert.equal(await pending, undefined);
    await delay(100);
    assert.equal(engine.requests[0]?.cancelled, false);
    await delay(350);
    assert.equal(engine.requests[0].cancelled, true);
  });

  test('asking for a block where only the line is known asks again', async () => {
    const { completer: subject, engine } = await completer(says('foo(() => {\n'), says('foo(() => {\n  a();\n});'));
    assert.equal((await subject.complete(request('|', 'line'), never))?.text, 'foo(() => {');
    const block = await subject.complete(request('|', 'block'), never);
    assert.equal(block?.text, 'foo(() => {\n  a();\n});');
    assert.equal((await subject.complete(request('|', 'line'), never))?.text, block.text);
    assert.equal(engine.requests.length, 2);
  });

  test('an empty answer is remembered too', async () => {
    const { completer: subject, engine } = await completer(says(''));
    assert.equal((await subject.complete(request('a;|'), never))?.text, '');
    assert.equal((await subject.complete(request('a;|'), never))?.text, '');
    assert.equal(engine.requests.length, 1);
  });

  test('an engine that fails rejects the request, and the next one is new', async () => {
    const failing = (tokenizer: Tokenizer): Script => ({ tokens: tokenizer.encode('foo(bar)'), failAfter: 1 });
    const { completer: subject, engine, outcomes } = await completer(failing, says('ok'));
    await assert.rejects(subject.complete(request('a = |'), never), /Nothing came from edge/);
    assert.ok(outcomes[0] instanceof Error);
    assert.equal((await subject.complete(request('a = |'), never))?.text, 'ok');
    assert.equal(engine.requests.length, 2);
  });

  test('no control token reaches the text, even if the engine lets one through', async () => {
    const { completer: subject } = await completer((tokenizer) => ({
      tokens: [...tokenizer.encode('foo'), tokenizer.id('<|file_sep|>') ?? -1, ...tokenizer.encode('bar')],
      ignoresStops: true,
    }));
    assert.equal((await subject.complete(request('a = |'), never))?.text, 'foo');
  });

  test('an aborted request never starts the engine', async () => {
    const { completer: subject, engine } = await completer(says('foo'));
    assert.equal(await subject.complete(request('a = |'), AbortSignal.abort()), undefined);
    assert.equal(engine.requests.length, 0);
  });
});
