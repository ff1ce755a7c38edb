import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CancellationTokenSource } from 'vscode-jsonrpc/node';
import type { Tokenizer } from '../../lsp-server/models/tokenizer';
import { ACCEPTED_COMMAND } from '../../lsp-server/protocol';
import { FakeEngine, type Script } from '../unit/fake_engine';
import { nanoPath, nanoTokenizer } from '../unit/nano';
import { serverInProcess } from './in_process';
import { readyServer, script, uri, wholeLine } from './scripted_server';

suite('language server, with an engine that the test speaks for', () => {
  let tokenizer: Tokenizer;
  before(async () => {
    tokenizer = await nanoTokenizer();
  });

  const says = (text: string, pace?: number): Script => script(tokenizer, text, pace);

  test('tells what it can do, before any model is there', async () => {
    const client = serverInProcess(() => new Promise(() => undefined));
    const started = performance.now();
    const result = (await client.initialize({ defaultModel: nanoPath, addon: '' })) as { capabilities: object };
    assert.ok(performance.now() - started < 1000);
    assert.deepEqual(result.capabilities, {
      textDocumentSync: 2,
      inlineCompletionProvider: true,
      executeCommandProvider: { commands: [ACCEPTED_COMMAND] },
      workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
    });
    await client.open(uri, 'const a = ');
    assert.equal(await client.complete(uri, { line: 0, character: 10 }), undefined);
    assert.equal((await client.state('loading')).state, 'loading');
  });

  test('gives ghost text from the start of the line, with the bracket that it replaces', async () => {
    const { client, engine } = await readyServer(() => says('bar, baz)'));
    await client.open(uri, 'x();\nfoo()\n');
    const item = await client.complete(uri, { line: 1, character: 4 });
    assert.deepEqual(item, {
      insertText: 'foo(bar, baz)',
      range: { start: { line: 1, character: 0 }, end: { line: 1, character: 5 } },
      command: { title: 'Completion accepted', command: ACCEPTED_COMMAND },
    });
    assert.equal(engine.requests[0]?.options.temperature, 0);
    assert.ok(tokenizer.decode(engine.requests[0].prompt).startsWith('src/a.ts\n'));
  });

  test('goes on from the item that the suggest widget has selected', async () => {
    const { client } = await readyServer(() => says('(1);'));
    await client.open(uri, 'a.for\n');
    const selected = {
      text: 'forEach',
      range: { start: { line: 0, character: 2 }, end: { line: 0, character: 5 } },
    };
    const item = await client.complete(uri, { line: 0, character: 5 }, { selected });
    assert.equal(item?.insertText, 'a.forEach(1);');
    assert.deepEqual(item.range, { start: { line: 0, character: 0 }, end: { line: 0, character: 5 } });
  });

  test('sees the text as it was when the request came', async () => {
    const { client, engine } = await readyServer(() => says('b;', 20));
    await client.open(uri, 'const a = ');
    const pending = client.complete(uri, { line: 0, character: 10 });
    await client.insert(uri, { line: 0, character: 0 }, '// one more line\n');
    await pending;
    await delay(20);
    const prompt = tokenizer.decode(engine.requests[0]?.prompt ?? []);
    assert.ok(prompt.endsWith('const a = ') && !prompt.includes('one more'), prompt);
    assert.equal(engine.requests[0]?.cancelled, true);
  });

  test('is cancelled by the editor, and typing on goes on with the same generation', async () => {
    const { client, engine } = await readyServer(() => says('foo(bar, baz, 12345);', 8));
    await client.open(uri, 'a = ');
    const source = new CancellationTokenSource();
    const first = client.complete(uri, { line: 0, character: 4 }, { token: source.token });
    await delay(30);
    await client.insert(uri, { line: 0, character: 4 }, 'f');
    source.cancel();
    const second = await client.complete(uri, { line: 0, character: 5 });
    assert.equal(await first.catch(() => undefined), undefined);
    assert.equal(second?.insertText, 'a = foo(bar, baz, 12345);');
    assert.equal(engine.requests.length, 1);
  });

  test('waits for the show delay, but not when the person types through', async () => {
    const { client } = await readyServer(() => says('foo;'), { completion: { showDelay: 150 } });
    await client.open(uri, 'a = ');
    const timed = async (character: number, invoked = false): Promise<number> => {
      const started = performance.now();
      assert.ok(await client.complete(uri, { line: 0, character }, { invoked }));
      return performance.now() - started;
    };
    assert.ok((await timed(4)) >= 145);
    await client.insert(uri, { line: 0, character: 4 }, 'f');
    assert.ok((await timed(5)) < 100);
  });

  test('progress, state and engine are told, at most four times a second', async () => {
    const client = serverInProcess(async ({ onProgress }) => {
      for (let step = 0; step <= 60; step += 1) {
        onProgress(step / 60);
        await delay(10);
      }
      return new FakeEngine(() => says('foo'));
    });
    await client.initialize({ defaultModel: nanoPath, addon: '' });
    const { model, engine } = await client.state('ready');
    assert.deepEqual({ model, engine }, { model: 'laneformer-nano', engine: 'fake: no threads' });
    const loading = client.statuses.filter(({ state }) => state === 'loading');
    assert.ok(loading.length >= 2);
    fourASecond(client.statuses);
    assert.ok(loading.some(({ progress = 0 }) => progress > 0.1));
  });

  test('a request that fails is told as an error until the next one succeeds', async () => {
    let fails = true;
    const { client } = await readyServer(() => (fails ? { ...says('foo'), failAfter: 0 } : says('foo')));
    await client.open(uri, 'a = ');
    assert.equal(await client.complete(uri, { line: 0, character: 4 }), undefined);
    assert.match((await client.state('error')).message ?? '', /Nothing came from edge "head"/);
    assert.ok(client.logged.some((line) => line.includes('Nothing came')));
    fails = false;
    assert.ok(await client.complete(uri, { line: 0, character: 4 }));
    assert.equal(
      (await client.until('ready', () => client.statuses.at(-1)?.state === 'ready' && client.statuses.at(-1))).message,
      undefined,
    );
  });

  test('figures come at most four times a second, and the last are true', async () => {
    const { client } = await readyServer(() => says('foo;'));
    await client.open(uri, '');
    for (let count = 0; count < 40; count += 1) {
      await client.insert(uri, { line: count, character: 0 }, `a${count} = \n`);
      assert.ok(await client.complete(uri, { line: count, character: `a${count} = `.length }));
    }
    for (let count = 0; count < 3; count += 1) {
      await client.connection.sendRequest('workspace/executeCommand', { command: ACCEPTED_COMMAND });
    }
    const last = await client.until('all figures', () => client.stats.find(({ accepted }) => accepted === 3));
    assert.equal(last.offered, 40);
    assert.equal(last.kind, 'completion');
    assert.ok(last.promptTokens > 3 && last.generatedTokens > 0);
    fourASecond(client.stats);
  });

  test('typing through counts as one offer', async () => {
    const { client } = await readyServer(() => says('foo(bar);'));
    await client.open(uri, 'a = ');
    await client.complete(uri, { line: 0, character: 4 });
    for (const [index, letter] of Array.from('foo(').entries()) {
      await client.insert(uri, { line: 0, character: 4 + index }, letter);
      assert.ok(await client.complete(uri, { line: 0, character: 5 + index }));
    }
    await client.connection.sendRequest('workspace/executeCommand', { command: ACCEPTED_COMMAND });
    const last = await client.until('figures', () => client.stats.find(({ accepted }) => accepted === 1));
    assert.equal(last.offered, 1);
  });

  test('explains a selection in batches, as the model card says', async () => {
    const text = 'Adds two numbers, and gives `a + b` back 🎉.\n\nNothing more.';
    const { client, engine } = await readyServer(() => says(text, 6));
    await client.open(uri, 'class A {\n    add(a, b) {\n        return a + b;\n    }\n}\n');
    const range = { start: { line: 1, character: 4 }, end: { line: 3, character: 5 } };
    const result = await client.explain({ id: 'one', textDocument: { uri }, range });
    assert.deepEqual(result, { text, stopped: 'end' });
    await client.until('all deltas', () => client.deltas.map(({ delta }) => delta).join('') === text);
    assert.ok(client.deltas.length >= 2 && client.deltas.length <= 15, `${client.deltas.length}`);
    assert.ok(client.deltas.every(({ id }) => id === 'one'));
    const prompt =
      '<|im_start|>user\nExplain this TypeScript code:\n```ts\nadd(a, b) {\n    return a + b;\n}\n```<|im_end|>\n<|im_start|>assistant\n';
    assert.deepEqual(engine.requests[0]?.prompt, tokenizer.encodeTemplate(prompt));
    assert.equal((await client.until('figures', () => client.stats[0])).kind, 'explain');
  });

  test('an explanation is cancelled within a token', async () => {
    const { client, engine } = await readyServer(() => says('word '.repeat(5) + 'and so on and on '.repeat(100), 5));
    await client.open(uri, 'f();');
    const source = new CancellationTokenSource();
    const pending = client.explain({ id: 'one', textDocument: { uri }, range: wholeLine }, source.token);
    await client.until('a delta', () => client.deltas[0]);
    source.cancel();
    const result = await pending;
    assert.equal(result.stopped, 'cancelled');
    assert.ok(result.text.startsWith('word'));
    assert.ok((engine.requests[0]?.produced ?? 999) < 100);
  });

  test('an explanation that goes round is stopped', async () => {
    const { client, engine } = await readyServer(() =>
      says('Debounce a function ' + 'to debounce the function '.repeat(200)),
    );
    await client.open(uri, 'f();');
    await client.configure({ explain: { maxTokens: 1000 } });
    const result = await client.explain({ id: 'one', textDocument: { uri }, range: wholeLine });
    assert.equal(result.stopped, 'limit');
    assert.equal(engine.requests[0]?.cancelled, true);
  });

  test('a selection that is empty or too long is handled', async () => {
    const { client, engine } = await readyServer(() => says('Ok.'));
    await client.open(uri, `\n${'const a = foo(bar);\n'.repeat(3000)}`);
    const nothing = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
    await assert.rejects(client.explain({ id: '1', textDocument: { uri }, range: nothing }), /selection is empty/);
    const all = { start: { line: 0, character: 0 }, end: { line: 3000, character: 0 } };
    await client.explain({ id: '2', textDocument: { uri }, range: all });
    const prompt = engine.requests[0]?.prompt ?? [];
    assert.ok(prompt.length <= 2048 - 256 && prompt.length > 1500, `${prompt.length}`);
    assert.ok(tokenizer.decode(prompt).endsWith(');\n```\nassistant\n'), tokenizer.decode(prompt.slice(-20)));
  });

  test('shutdown frees the engine', async () => {
    const { client, engine } = await readyServer(() => says('a, '.repeat(500), 5));
    await client.open(uri, 'f(');
    const pending = client.complete(uri, { line: 0, character: 2 }).catch(() => undefined);
    await delay(20);
    await client.connection.sendRequest('shutdown');
    assert.equal(engine.disposed, true);
    await pending;
  });
});

/** No more notifications than their time allows; one more, as their way here may take longer or shorter. */
function fourASecond(sent: readonly { at: number }[]): void {
  const span = (sent.at(-1)?.at ?? 0) - (sent[0]?.at ?? 0);
  assert.ok(sent.length <= span / 250 + 2, `${sent.length} in ${span} ms`);
}
