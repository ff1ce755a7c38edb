import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { TopologyResult } from '../../lsp-server/protocol';
import { h200, mi300x, probed } from '../unit/boxes';
import { FakeEngine } from '../unit/fake_engine';
import { nanoPath } from '../unit/nano';
import { serverInProcess } from './in_process';
import { addon, ServerProcess } from './server_process';

const ask = 'monokernel/topology';

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
      () => Promise.resolve(probed(mi300x, h200)),
    );
    await client.initialize({ defaultModel: nanoPath, addon: '/nowhere/linux-x64/monokernel.node' });
    await client.state('error');
    const { problems } = await client.connection.sendRequest<TopologyResult>(ask, {});
    assert.equal(problems.length, 2);
    for (const { remedy } of problems) assert.match(remedy, /^Install a package of the extension/);
    assert.doesNotMatch(JSON.stringify(problems), /npm/);
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
