import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addon, nanoModel, runScript, tinyModel } from './engine_support';

/** Starts each script: the addon, and a request that goes on until somebody stops it. */
const PRELUDE = `
const [, addon, nano, tiny, mode] = process.argv;
const { Engine } = require(addon);
const nothing = () => undefined;
const load = (folder, onProgress = nothing) => Engine.load(folder, { device: 'cpu', threads: 2 }, onProgress);
const start = (engine, onTokens = nothing, onEnd = nothing, maxTokens = 3000) =>
  engine.generate([5, 6, 7], { maxTokens }, onTokens, onEnd);
`;

const run = (script: string, mode = '', options: string[] = []) =>
  runScript(PRELUDE + script, [addon, nanoModel, tinyModel, mode], options);

async function endsWith(status: number, script: string, mode = '', options: string[] = []): Promise<string> {
  const end = await run(script, mode, options);
  assert.equal(end.signal, null, end.output);
  assert.equal(end.status, status, end.output);
  return end.output;
}

for (const mode of ['loading', 'generating', 'disposing']) {
  void test(`teardown: process.exit while ${mode}`, async () => {
    await endsWith(
      7,
      `load(nano, () => mode === 'loading' && process.exit(7)).then((engine) => {
        start(engine, () => { if (mode === 'disposing') engine.dispose(); process.exit(7); });
      });`,
      mode,
    );
  });
}

void test('teardown: an idle engine does not keep the process, one at work does', async () => {
  await endsWith(0, `load(tiny).then((engine) => { globalThis.engine = engine; });`);
  const output = await endsWith(
    0,
    `load(tiny).then((engine) => start(engine, nothing, (error, { generated }) => console.log('made', generated), 50));`,
  );
  assert.match(output, /made 50/);
});

void test('teardown: a worker terminated while it loads, generates or disposes', async () => {
  const output = await endsWith(
    0,
    `const { Worker } = require('node:worker_threads');
    const body = ${JSON.stringify(PRELUDE)}
      .replace('process.argv', "require('node:worker_threads').workerData")
      + "load(nano).then((engine) => { start(engine); start(engine); if (mode === 'dispose') engine.dispose(); });";
    (async () => {
      for (let round = 0; round < 24; round++) {
        const workerData = [, addon, nano, tiny, round % 3 === 0 ? 'dispose' : ''];
        const worker = new Worker(body, { eval: true, workerData });
        worker.on('error', (error) => { console.error(error); process.exit(1); });
        await new Promise((resolve) => setTimeout(resolve, 40 + 25 * round));
        await worker.terminate();
      }
      console.log('terminated all');
    })();`,
  );
  assert.match(output, /terminated all/);
});

void test('teardown: an engine dropped without dispose is freed with its threads', async () => {
  const output = await endsWith(
    0,
    `const threads = () => require('node:fs').readdirSync('/proc/self/task').length;
    (async () => {
      const before = threads();
      for (let round = 0; round < 4; round++) {
        const engine = await load(tiny);
        await new Promise((resolve) => start(engine, nothing, resolve, 5));
      }
      const loaded = threads();
      for (let round = 0; round < 100 && threads() > before; round++) {
        global.gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      console.log(loaded > before, threads() === before);
    })();`,
    '',
    ['--expose-gc'],
  );
  assert.match(output, /true true/);
});

void test('teardown: an engine that nobody holds finishes its request', async () => {
  const output = await endsWith(
    0,
    `load(nano).then((engine) => {
      start(engine, () => global.gc(), (error, { generated }) => console.log('made', generated), 20);
    });`,
    '',
    ['--expose-gc'],
  );
  assert.match(output, /made 20/);
});

void test('teardown: exceptions of callbacks are uncaught exceptions, and the engine goes on', async () => {
  const output = await endsWith(
    0,
    `process.on('uncaughtException', (error) => console.log('caught', error.message));
    load(tiny).then((engine) => {
      start(engine, () => { throw new Error('tokens'); }, () => { throw new Error('end'); }, 3);
      start(engine, nothing, (error, { generated }) => console.log('made', generated), 3);
    });`,
  );
  assert.match(output, /caught tokens/);
  assert.match(output, /caught end/);
  assert.match(output, /made 3/);
});
