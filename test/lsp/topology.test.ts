import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CancellationTokenSource } from 'vscode-jsonrpc/node';
import type { MeasuredGpu, TopologyResult } from '../../lsp-server/protocol';
import { calibration, h200, mi300x, probed } from '../unit/boxes';
import { FakeEngine } from '../unit/fake_engine';
import { nanoPath } from '../unit/nano';
import { serverInProcess } from './in_process';
import { addon, ServerProcess } from './server_process';

const ask = 'monokernel/topology';
const measure = 'monokernel/measureMemory';
const measured: MeasuredGpu = { gpu: 0, name: 'AMD Instinct MI300X', kept: true, reason: 'homes repeat' };

suite('topology', () => {
  test('tells the machine and what runs on it; two that ask together share one look', async () => {
    let looks = 0;
    const client = serverInProcess(
      () => Promise.resolve(new FakeEngine(() => ({ tokens: [] }))),
      () => {
        looks++;
        return Promise.resolve(probed());
      },
    );
    await client.initialize({ defaultModel: nanoPath, addon: '/nowhere/linux-x64/monokernel.node' });
    await client.state('ready');
    const [first, second] = await Promise.all([
      client.connection.sendRequest<TopologyResult>(ask, {}),
      client.connection.sendRequest<TopologyResult>(ask, {}),
    ]);
    assert.equal(looks, 1);
    assert.deepEqual(first, second);
    assert.equal(first.cpu.name, 'Some CPU');
    assert.equal(typeof first.engine.running, 'string');
    await client.connection.sendRequest(ask, {});
    assert.equal(looks, 2);
  });

  test('answers also when no model and no engine can be loaded', async () => {
    const client = serverInProcess(
      () => Promise.reject(new Error('broken engine')),
      () => Promise.reject(new Error('broken driver')),
    );
    await client.initialize({ defaultModel: '/nowhere', addon: '' });
    await client.state('error');
    const { problems, engine } = await client.connection.sendRequest<TopologyResult>(ask, {});
    assert.equal(engine.running, undefined);
    assert.deepEqual(
      problems.map(({ severity }) => severity),
      ['error', 'error'],
    );
    assert.match(problems[0]?.what ?? '', /broken driver/);
  });

  test('names no npm command to an installed extension that lacks its kernels', async () => {
    const client = serverInProcess(
      () => Promise.reject(new Error('broken engine')),
      () => Promise.resolve(probed({ ...mi300x, calibration }, h200)),
    );
    await client.initialize({ defaultModel: nanoPath, addon: '/nowhere/linux-x64/monokernel.node' });
    await client.state('error');
    const { problems } = await client.connection.sendRequest<TopologyResult>(ask, {});
    assert.equal(problems.length, 2);
    for (const { remedy } of problems) assert.match(remedy, /^Install a package of the extension/);
    assert.doesNotMatch(JSON.stringify(problems), /npm/);
  });

  test('memory is measured with no engine loaded, which then comes back; also when it fails', async () => {
    const engines: FakeEngine[] = [];
    const seen: { addon: string; disposed: boolean[] }[] = [];
    let fails = false;
    const client = serverInProcess(
      () => {
        const engine = new FakeEngine(() => ({ tokens: [] }));
        engines.push(engine);
        return Promise.resolve(engine);
      },
      undefined,
      async (asked) => {
        seen.push({ addon: asked, disposed: engines.map(({ disposed }) => disposed) });
        await client.state('loading');
        if (fails) throw new Error('the driver is gone');
        return [measured];
      },
    );
    await client.initialize({ defaultModel: nanoPath, addon: '/nowhere/linux-x64/monokernel.node' });
    await client.state('ready');
    assert.deepEqual(await client.connection.sendRequest<MeasuredGpu[]>(measure, {}), [measured]);
    await client.state('ready');
    fails = true;
    await assert.rejects(client.connection.sendRequest(measure, {}), /the driver is gone/);
    await client.state('ready');
    assert.deepEqual(
      seen.map(({ disposed }) => disposed),
      [[true], [true, true]],
    );
    assert.equal(seen[0]?.addon, '/nowhere/linux-x64/monokernel.node');
    assert.deepEqual(
      engines.map(({ disposed }) => disposed),
      [true, true, false],
    );
  });

  test('measuring stops when it is told to, and when the server ends', async () => {
    let stopped = 0;
    const client = serverInProcess(
      () => Promise.resolve(new FakeEngine(() => ({ tokens: [] }))),
      undefined,
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            stopped++;
            reject(new Error('stopped'));
          });
        }),
    );
    await client.initialize({ defaultModel: nanoPath, addon: '' });
    await client.state('ready');
    const source = new CancellationTokenSource();
    const first = client.connection.sendRequest(measure, {}, source.token);
    await client.state('loading');
    source.cancel();
    await assert.rejects(first, /stopped/);
    await client.state('ready');
    const second = client.connection.sendRequest(measure, {});
    await client.state('loading');
    await Promise.all([client.connection.sendRequest('shutdown'), assert.rejects(second, /stopped/)]);
    assert.equal(stopped, 2);
  });

  test('of the real server measures nothing where there is no GPU', async (context) => {
    await using server = ServerProcess.start('ipc');
    const { client } = server;
    await client.initialize({ defaultModel: nanoPath, addon, settings: { engine: 'cpu' } });
    await client.state('ready');
    const { gpus } = await client.connection.sendRequest<TopologyResult>(ask, {});
    if (gpus.length > 0) {
      context.skip('this machine has a GPU');
      return;
    }
    assert.deepEqual(await client.connection.sendRequest<MeasuredGpu[]>(measure, {}), []);
    await client.state('ready');
    assert.equal(await server.shutdown(), 0);
  });

  test('of the real server names this machine’s cores and the running engine', async () => {
    await using server = ServerProcess.start('ipc');
    const { client } = server;
    await client.initialize({ defaultModel: nanoPath, addon, settings: { engine: 'cpu' } });
    await client.state('ready');
    const box = await client.connection.sendRequest<TopologyResult>(ask, {});
    assert.ok(box.cpu.cores.some(({ used }) => used));
    assert.match(box.engine.running ?? '', /^cpu: /);
    assert.equal(box.engine.chosen, 'cpu');
    assert.equal(box.instructionSets.at(-1), 'portable');
    assert.equal(box.model.lanes, 8);
    assert.equal(await server.shutdown(), 0);
  });
});
