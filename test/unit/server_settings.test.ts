import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { PieceCache } from '../../lsp-server/models/piece_cache';
import { WorkspacePaths } from '../../lsp-server/open_documents';
import { defaultSettings, needsReload, readSettings, settingProblems } from '../../lsp-server/settings';
import { Throttle } from '../../lsp-server/throttle';
import { targetsInOrder } from '../../lsp-server/topology/choice';
import { readSource } from './nano';

/** The part of package.json that says which values a setting may have. */
interface Manifest {
  contributes: { configuration: { properties: { 'monokernel.engine': Record<string, string[]> } } };
}

suite('settings', () => {
  test('what an editor does not send, or sends wrong, keeps its default', () => {
    for (const sent of [
      undefined,
      null,
      7,
      {},
      { monokernel: {} },
      { monokernel: { threads: 'many', engine: 'gpu', precision: 'int4', speculation: true } },
    ]) {
      assert.deepEqual(readSettings(sent), defaultSettings);
    }
    const sent = { threads: -3, completion: { maxTokens: 1e9, mode: 'line' }, languages: { python: false, x: 1 } };
    const { threads, completion, languages } = readSettings({ monokernel: sent });
    assert.deepEqual(
      { threads, completion, languages },
      {
        threads: 0,
        completion: { ...defaultSettings.completion, maxTokens: 2048, mode: 'line' },
        languages: { '*': true, python: false },
      },
    );
  });

  test('a choice that does not exist is told, with what there is and what is done', () => {
    assert.deepEqual(settingProblems({ monokernel: { precision: 'int4', completion: { mode: 'line' } } }), [
      'monokernel.precision is "int4", but must be one of auto, bf16, int8; "auto" is used.',
    ]);
    assert.deepEqual(settingProblems({ speculation: 'on' }), [
      'monokernel.speculation is "on", but must be one of off, promptLookup; "off" is used.',
    ]);
    assert.equal(settingProblems({ engine: 1, precision: null, completion: { mode: 'word' } }).length, 3);
    assert.deepEqual(settingProblems({ precision: 'int8', engine: 'cpu', speculation: 'promptLookup' }), []);
    assert.deepEqual(settingProblems(undefined), []);
  });

  test('the editor offers every engine, each with a label and a description', () => {
    const { contributes } = JSON.parse(readSource('package.json')) as Manifest;
    const {
      enum: engines,
      enumItemLabels,
      markdownEnumDescriptions,
    } = contributes.configuration.properties['monokernel.engine'];
    assert.deepEqual(engines, ['auto', 'cpu', ...targetsInOrder]);
    assert.equal(enumItemLabels?.length, engines.length);
    assert.deepEqual(
      markdownEnumDescriptions,
      engines.map((engine) => `%setting.engine.${engine}%`),
    );
    const texts = JSON.parse(readSource('package.nls.json')) as Record<string, string>;
    for (const engine of engines) {
      assert.equal(typeof texts[`setting.engine.${engine}`], 'string');
      assert.equal(readSettings({ engine }).engine, engine);
    }
  });

  test('only model, engine, precision and threads need the engine again', () => {
    const change = (sent: object): boolean => needsReload(defaultSettings, readSettings(sent));
    assert.ok(change({ threads: 2 }) && change({ engine: 'cpu' }) && change({ precision: 'int8' }));
    assert.ok(change({ model: { path: '/x' } }));
    assert.ok(!change({ speculation: 'promptLookup' }));
    assert.ok(!change({ enable: false, completion: { maxTokens: 3 }, explain: { maxTokens: 3 } }));
  });
});

suite('throttle', () => {
  test('sends the first at once, then the newest in each interval, and the last for sure', async () => {
    const sent: number[] = [];
    using throttle = new Throttle<number>(300, (value) => sent.push(value));
    for (let value = 0; value < 5; value += 1) throttle.push(value);
    assert.deepEqual(sent, [0]);
    await delay(20);
    throttle.push(5);
    assert.deepEqual(sent, [0]);
    await delay(320);
    assert.deepEqual(sent, [0, 5]);
    await delay(320);
    throttle.push(9);
    assert.deepEqual(sent, [0, 5, 9]);
  });
});

suite('piece cache', () => {
  test('makes each value once while it is in use, and forgets what is not', () => {
    const made: string[] = [];
    const cache = new PieceCache<number>(3);
    const get = (key: string): number => cache.get(key, () => made.push(key));
    for (const key of ['a', 'b', 'a', 'c', 'a', 'd', 'a', 'e', 'f', 'a', 'g']) get(key);
    assert.deepEqual(made, ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    get('b');
    assert.equal(made.at(-1), 'b');
  });
});

suite('paths in prompts', () => {
  test('are relative to the innermost folder of the workspace, else the name alone', () => {
    const paths = new WorkspacePaths();
    paths.set([
      { uri: 'file:///work', name: 'work' },
      { uri: 'file:///work/inner/', name: 'inner' },
    ]);
    assert.equal(paths.relative('file:///work/src/a%20b.ts'), 'src/a b.ts');
    assert.equal(paths.relative('file:///work/inner/src/a.ts'), 'src/a.ts');
    assert.equal(paths.relative('file:///elsewhere/src/a.ts'), 'a.ts');
    assert.equal(paths.relative('untitled:Untitled-1'), 'untitled:Untitled-1');
    assert.equal(paths.relative('file:///work/100%.ts'), '100%.ts');
  });
});
