import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../../lsp-server/engine/contract';
import type { EngineLoader } from '../../lsp-server/model_host';
import type { Tokenizer } from '../../lsp-server/models/tokenizer';
import { FakeEngine, type Script } from '../unit/fake_engine';
import { nanoPath, nanoTokenizer } from '../unit/nano';
import { serverInProcess } from './in_process';
import { readyServer, script, uri, wholeLine } from './scripted_server';

suite('language server, as its settings and its engine change', () => {
  let tokenizer: Tokenizer;
  before(async () => {
    tokenizer = await nanoTokenizer();
  });

  const says = (text: string): Script => script(tokenizer, text);

  test('obeys the settings as they change, without loading the model again', async () => {
    const { client, engine, loads } = await readyServer(() => says('foo;'));
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
    assert.equal(loads(), 1);
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
    const { client, engine, loads } = await readyServer(() => says('x'));
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
    assert.equal(loads(), 1);
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
});
