import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CancellationTokenSource } from 'vscode-jsonrpc/node';
import { EngineError } from '../../lsp-server/engine/contract';
import type { EngineLoader } from '../../lsp-server/model_host';
import type { Tokenizer } from '../../lsp-server/models/tokenizer';
import { ACCEPTED_COMMAND } from '../../lsp-server/protocol';
import { FakeEngine, type Script } from '../unit/fake_engine';
import { nanoPath, nanoTokenizer } from '../unit/nano';
import type { SentSettings, TestClient } from './client';
import { serverInProcess } from './in_process';

const uri = 'file:///work/src/a.ts';
const end = 0;

suite('language server, with an engine that the test speaks for', () => {
  let tokenizer: Tokenizer;
  before(async () => {
    tokenizer = await nanoTokenizer();
  });

  const says = (text: string, pace = 0): Script => ({ tokens: [...tokenizer.encode(text), end], pace });

  /** A ready server whose engine answers with the script that `answer` gives at that time. */
  async function ready(
    answer: () => Script,
    settings: SentSettings = {},
  ): Promise<{ client: TestClient; engine: FakeEngine }> {
    const engine = new FakeEngine(answer);
    const client = serverInProcess(() => Promise.resolve(engine));
    await client.initialize({ defaultModel: nanoPath, addon: '', settings });
    await client.state('ready');
    return { client, engine };
  }

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
    const { client, engine } = await ready(() => says('bar, baz)'));
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
    const { client } = await ready(() => says('(1);'));
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
    const { client, engine } = await ready(() => says('b;', 20));
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
    const { client, engine } = await ready(() => says('foo(bar, baz, 12345);', 8));
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
    const { client } = await ready(() => says('foo;'), { completion: { showDelay: 150 } });
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

  test('obeys the settings as they change, without loading the model again', async () => {
    let loads = 0;
    const engine = new FakeEngine(() => says('foo;'));
    const client = serverInProcess(() => {
      loads += 1;
      return Promise.resolve(engine);
    });
    await client.initialize({ defaultModel: nanoPath, addon: '' });
    await client.state('ready');
    await client.open(uri, 'a = ');
    const position = { line: 0, character: 4 };
    assert.ok(await client.complete(uri, position));
    await client.configure({ enable: false });
    assert.equal(await client.complete(uri, position), undefined);
    await client.configure({ languages: { '*': true, typescript: false } });
    assert.equal(await client.complete(uri, position), undefined);
    await client.configure({ completion: { maxTokens: 7 } });
    await client.insert(uri, position, 'b');
    await client.complete(uri, { line: 0, character: 5 });
    assert.equal(engine.requests.at(-1)?.options.maxTokens, 7);
    assert.equal(loads, 1);
  });

  test('loads another engine when the settings ask for one, and frees the old one first', async () => {
    const engines: FakeEngine[] = [];
    const asked: Parameters<EngineLoader>[0]['options'][] = [];
    const client = serverInProcess(({ options }) => {
      assert.ok(engines.every((engine) => engine.disposed));
      asked.push(options);
      const engine = new FakeEngine(() => says(`engine${engines.length};`));
      engines.push(engine);
      return Promise.resolve(engine);
    });
    await client.initialize({ defaultModel: nanoPath, addon: '', settings: { threads: 1 } });
    await client.state('ready');
    await client.open(uri, 'a = ');
    await client.complete(uri, { line: 0, character: 4 });
    await client.configure({ threads: 2, engine: 'cpu' });
    await client.until('second engine', () => engines.length === 2);
    await client.until('ready again', () => client.statuses.at(-1)?.state === 'ready');
    const item = await client.complete(uri, { line: 0, character: 4 });
    assert.equal(item?.insertText, 'a = engine2;');
    assert.deepEqual(
      asked.map(({ threads, device }) => ({ threads, device })),
      [
        { threads: 1, device: 'auto' },
        { threads: 2, device: 'cpu' },
      ],
    );
  });

  test('tells of a precision that the engine does not have, and of one that does not exist', async () => {
    const asked: unknown[] = [];
    const client = serverInProcess(({ options }) => {
      asked.push(options.precision);
      const facts = { precision: 'stored', precisionReason: 'int8 is only for the CPU engine' } as const;
      const engine = new FakeEngine(() => says('x'));
      Object.assign(engine.model, facts);
      return Promise.resolve(engine);
    });
    await client.initialize({ defaultModel: nanoPath, addon: '', settings: { precision: 'int8' } });
    const refused = await client.state('ready');
    assert.deepEqual(refused.warnings, ['monokernel.precision: int8 is only for the CPU engine.']);
    assert.match(refused.reason ?? '', /precision int8 is only for the CPU/);
    await client.configure({ precision: 'int4' as 'int8' });
    await client.until('auto', () => asked.length === 2);
    await client.until('a message', () => client.statuses.at(-1)?.warnings?.[0]?.includes('is "int4"'));
    assert.deepEqual(asked, ['int8', 'auto']);
    await client.configure({ precision: 'bf16' });
    await client.until('no message', () => asked.length === 3 && client.statuses.at(-1)?.warnings === undefined);
  });

  test('completions and explanations speculate from the moment that the setting says so, without another load', async () => {
    const engine = new FakeEngine(() => says('x'));
    let loads = 0;
    const client = serverInProcess(() => {
      loads += 1;
      return Promise.resolve(engine);
    });
    await client.initialize({ defaultModel: nanoPath, addon: '' });
    await client.state('ready');
    await client.open(uri, 'a = ');
    await client.complete(uri, { line: 0, character: 4 });
    await client.configure({ speculation: 'promptLookup' });
    await client.insert(uri, { line: 0, character: 4 }, 'b');
    await client.complete(uri, { line: 0, character: 5 });
    await client.explain({ id: 'one', textDocument: { uri }, range: wholeLine });
    assert.deepEqual(
      engine.requests.map(({ options }) => options.speculation),
      ['off', 'promptLookup', 'promptLookup'],
    );
    assert.equal(loads, 1);
  });

  test('tells that an engine does not speculate, as soon as the setting asks for it', async () => {
    let loads = 0;
    const client = serverInProcess(() => {
      loads += 1;
      const engine = new FakeEngine(() => says('x'));
      Object.assign(engine.model, { speculates: loads > 1 });
      return Promise.resolve(engine);
    });
    const warning = 'monokernel.speculation: only the CPU engine speculates; this one decodes token by token.';
    const warnings = (): readonly string[] | undefined => client.statuses.at(-1)?.warnings;
    const ready = (): boolean => client.statuses.at(-1)?.state === 'ready';
    await client.initialize({ defaultModel: nanoPath, addon: '' });
    assert.equal((await client.state('ready')).warnings, undefined);
    await client.configure({ speculation: 'promptLookup' });
    await client.until('a message', () => warnings()?.[0] === warning);
    await client.configure({});
    await client.until('no message', () => ready() && warnings() === undefined);
    await client.configure({ speculation: 'promptLookup' });
    await client.until('a message again', () => warnings()?.[0] === warning);
    assert.equal(loads, 1);
    await client.configure({ speculation: 'promptLookup', threads: 1 });
    await client.until('an engine that speculates', () => loads === 2 && ready() && warnings() === undefined);
  });

  test('only the newest of several changes stays loaded', async () => {
    const engines: FakeEngine[] = [];
    const client = serverInProcess(async ({ options }) => {
      await delay(40);
      const engine = new FakeEngine(() => says('x'), {
        ...new FakeEngine(() => says('')).model,
        description: String(options.threads),
      });
      engines.push(engine);
      return engine;
    });
    await client.initialize({ defaultModel: nanoPath, addon: '', settings: { threads: 1 } });
    for (const threads of [2, 3, 4]) await client.configure({ threads });
    await client.until('the last engine', () => client.statuses.at(-1)?.engine === '4');
    assert.deepEqual(
      engines.map((engine) => engine.disposed),
      engines.map((_, index) => index < engines.length - 1),
    );
    assert.ok(engines.length <= 2, `${engines.length} loads`);
  });

  test('an engine that cannot be loaded is told, the server lives, and a change tries again', async () => {
    let broken = true;
    const client = serverInProcess(() =>
      broken
        ? Promise.reject(new EngineError('addonCrashed', 'The addon was ended by SIGILL.'))
        : Promise.resolve(new FakeEngine(() => says('foo'))),
    );
    await client.initialize({ defaultModel: nanoPath, addon: '' });
    assert.equal((await client.state('error')).message, 'The addon was ended by SIGILL.');
    await client.open(uri, 'a = ');
    assert.equal(await client.complete(uri, { line: 0, character: 4 }), undefined);
    await assert.rejects(client.explain({ id: '1', textDocument: { uri }, range: wholeLine }), /No model is loaded/);
    broken = false;
    await client.configure({});
    await client.state('ready');
    assert.ok(await client.complete(uri, { line: 0, character: 4 }));
  });

  test('a model folder that is not there is named', async () => {
    const client = serverInProcess(() => assert.fail('must not be loaded'));
    await client.initialize({ defaultModel: nanoPath, addon: '', settings: { model: { path: '/nowhere/model' } } });
    assert.match(
      (await client.state('error')).message ?? '',
      /\/nowhere\/model does not exist.*monokernel\.model\.path/,
    );
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
    const { client } = await ready(() => (fails ? { ...says('foo'), failAfter: 0 } : says('foo')));
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
    const { client } = await ready(() => says('foo;'));
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
    const { client } = await ready(() => says('foo(bar);'));
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
    const { client, engine } = await ready(() => says(text, 6));
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
    const { client, engine } = await ready(() => says('word '.repeat(5) + 'and so on and on '.repeat(100), 5));
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
    const { client, engine } = await ready(() =>
      says('Debounce a function ' + 'to debounce the function '.repeat(200)),
    );
    await client.open(uri, 'f();');
    await client.configure({ explain: { maxTokens: 1000 } });
    const result = await client.explain({ id: 'one', textDocument: { uri }, range: wholeLine });
    assert.equal(result.stopped, 'limit');
    assert.equal(engine.requests[0]?.cancelled, true);
  });

  test('a selection that is empty or too long is handled', async () => {
    const { client, engine } = await ready(() => says('Ok.'));
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
    const { client, engine } = await ready(() => says('a, '.repeat(500), 5));
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

const wholeLine = { start: { line: 0, character: 0 }, end: { line: 0, character: 4 } };
