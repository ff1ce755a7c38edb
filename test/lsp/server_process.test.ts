import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CancellationTokenSource } from 'vscode-jsonrpc/node';
import { nanoPath, root } from '../unit/nano';
import type { SentSettings } from './client';
import { addon, ServerProcess, type Transport } from './server_process';

const uri = 'file:///work/src/user-service.ts';
const python = 'file:///work/utils/io.py';

/** The second golden prompt of the nano model, around its cursor: it says `await this.users.get(id);` there. */
const before = `import { Injectable } from '@nestjs/common';
import { Repository } from 'typeorm';
import { User } from './user.entity';

@Injectable()
export class UserService {
  constructor(private readonly users: Repository<User>) {}

  async findByEmail(email: string): Promise<User | null> {
    `;
const after = `
  }

  async remove(id: string): Promise<void> {
    await this.users.delete(id);
  }
}
`;
const cursor = { line: 9, character: 4 };

/** A prompt that takes a while, at a place where a long block can be written. */
const long = `${Array.from({ length: 60 }, (_, i) => `export const name${i} = compute(${i}, 'text');`).join('\n')}
export class Service {
  `;
const longCursor = { line: 61, character: 2 };

async function ready(transport: Transport, settings: SentSettings = {}): Promise<ServerProcess> {
  const server = ServerProcess.start(transport);
  await server.client.initialize({ defaultModel: nanoPath, addon, settings: { engine: 'cpu', ...settings } });
  await server.client.state('ready');
  return server;
}

suite('language server process with the real engine', () => {
  for (const transport of ['ipc', 'stdio'] as const) {
    test(`completes, types through, explains and ends over ${transport}`, async () => {
      await using server = await ready(transport);
      const { client } = server;
      await client.open(uri, before + after);
      const item = await client.complete(uri, cursor);
      assert.ok(item);
      assert.match(item.insertText, /^ {4}\S/);
      const text = item.insertText.slice(4);
      assert.match(text, /^\S.*[;)}]$/s);
      assert.ok(!text.includes('<|'), text);
      assert.deepEqual(item.range, { start: { line: 9, character: 0 }, end: cursor });
      const { promptTokens, generatedTokens, timeToFirstToken } = await client.until('figures', () => client.stats[0]);
      assert.ok(promptTokens > 100 && generatedTokens > 0 && timeToFirstToken > 0);

      await client.insert(uri, cursor, text.slice(0, 3));
      const next = await client.complete(uri, { line: 9, character: 7 });
      assert.equal(next?.insertText, item.insertText);

      const range = { start: { line: 8, character: 0 }, end: { line: 10, character: 3 } };
      const { text: explanation, stopped } = await client.explain({ id: 'x', textDocument: { uri }, range });
      assert.ok(/[a-z]{3}/.test(explanation) && !explanation.includes('<|'), explanation);
      assert.ok(stopped === 'end' || stopped === 'limit');
      await client.until('deltas', () => client.deltas.map(({ delta }) => delta).join('') === explanation);
      assert.equal(await server.shutdown(), 0);
      assert.equal(server.stderr, '');
    });
  }

  test('says what runs, and that the prefix was reused when the person types on', async () => {
    await using server = await ready('ipc', { threads: 1 });
    const { client } = server;
    assert.match(client.statuses.at(-1)?.engine ?? '', /^cpu: 1 thread/);
    await client.open(uri, before + after);
    await client.complete(uri, cursor);
    await client.insert(uri, cursor, 'const zzz = ');
    await client.complete(uri, { line: 9, character: 16 });
    const last = await client.until('figures', () => client.stats.find(({ reusedTokens }) => reusedTokens > 0));
    assert.ok(last.reusedTokens > last.promptTokens - 20, JSON.stringify(last));
  });

  test('stops working when the editor cancels and the person types something else', async () => {
    await using server = await ready('ipc', { completion: { maxTokens: 1000, mode: 'block' } });
    const { client } = server;
    await client.open(uri, long);
    const source = new CancellationTokenSource();
    const pending = client.complete(uri, longCursor, { token: source.token, invoked: true });
    await delay(100);
    source.cancel();
    await client.insert(uri, longCursor, '§§§');
    const started = performance.now();
    await pending.catch(() => undefined);
    const last = await client.until('the figures of the cancelled request', () => client.stats[0]);
    assert.ok(last.generatedTokens < 100, JSON.stringify(last));
    assert.ok(performance.now() - started < 10_000);
  });

  test('the newest request wins, in another document too', async () => {
    await using server = await ready('ipc', { completion: { maxTokens: 300, mode: 'block' } });
    const { client } = server;
    await client.open(uri, long);
    await client.open(python, 'def add(a, b):\n    return ', 'python');
    const first = client.complete(uri, longCursor);
    const second = await client.complete(python, { line: 1, character: 11 });
    assert.match(second?.insertText ?? '', /^ {4}return \S/);
    assert.equal(await first, undefined);
  });

  test('explains until it is cancelled', async () => {
    await using server = await ready('ipc');
    const { client } = server;
    await client.open(uri, (before + after).repeat(4)); // long enough that its prefill outlasts the pause below
    const source = new CancellationTokenSource();
    const range = { start: { line: 0, character: 0 }, end: { line: 60, character: 0 } };
    const pending = client.explain({ id: 'x', textDocument: { uri }, range }, source.token);
    await delay(15);
    source.cancel();
    assert.equal((await pending).stopped, 'cancelled');
  });

  test('a broken model folder is told and survived, and the settings mend it', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'monokernel-model-'));
    try {
      for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors.index.json']) {
        copyFileSync(path.join(nanoPath, name), path.join(folder, name));
      }
      const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
      symlinkSync(path.join(nanoPath, shards[0]), path.join(folder, shards[0]));
      writeFileSync(path.join(folder, shards[1]), readFileSync(path.join(nanoPath, shards[1])).subarray(0, 1_000_000));
      await using server = ServerProcess.start('ipc');
      const { client } = server;
      await client.initialize({ defaultModel: nanoPath, addon, settings: { engine: 'cpu', model: { path: folder } } });
      const { message = '' } = await client.state('error');
      assert.match(message, new RegExp(shards[1]));
      await client.open(uri, before + after);
      assert.equal(await client.complete(uri, cursor), undefined);
      await client.configure({ engine: 'cpu', model: { path: path.join(folder, 'not here') } });
      await client.until('the other error', () => client.statuses.at(-1)?.message?.includes('does not exist'));
      await client.configure({ engine: 'cpu' });
      await client.state('ready');
      assert.ok(await client.complete(uri, cursor));
      assert.equal(await server.shutdown(), 0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('runs the other model families of the golden checkpoints', async () => {
    const models = mkdtempSync(path.join(os.tmpdir(), 'monokernel-model-'));
    try {
      await using server = ServerProcess.start('ipc');
      const { client } = server;
      await client.initialize({ defaultModel: nanoPath, addon, settings: { engine: 'cpu' } });
      await client.open(uri, before + after);
      for (const family of ['llama', 'qwen2', 'qwen3', 'laneformer-gqa-tied']) {
        await client.configure({ engine: 'cpu', model: { path: tinyModel(models, family) } });
        await client.until(`${family} ready`, () => {
          const { state, model } = client.statuses.at(-1) ?? {};
          return state === 'ready' && model === family;
        });
        await client.complete(uri, cursor, { invoked: true });
        await client.until(`figures of ${family}`, () => client.stats.length > 0);
        client.stats.length = 0;
      }
    } finally {
      rmSync(models, { recursive: true });
    }
  });

  test('an addon that is not there is told', async () => {
    await using server = ServerProcess.start('stdio');
    await server.client.initialize({ defaultModel: nanoPath, addon: '/nowhere/monokernel.node' });
    assert.match((await server.client.state('error')).message ?? '', /\/nowhere\/monokernel\.node is missing/);
    assert.equal(await server.shutdown(), 0);
  });

  test('ends in the middle of a completion, and leaves no process', async () => {
    await using server = await ready('ipc', { completion: { maxTokens: 1000, mode: 'block' } });
    const { client, child } = server;
    await client.open(uri, long);
    void client.complete(uri, longCursor).catch(() => undefined);
    await delay(50);
    assert.equal(await server.shutdown(), 0);
    assert.throws(() => process.kill(child.pid ?? 0, 0), { code: 'ESRCH' });
  });

  test('ends when its editor dies', async () => {
    const program = `
      const { fork } = require('node:child_process');
      const child = fork(${JSON.stringify(path.join(root, 'dist/server.js'))}, ['--node-ipc']);
      child.on('message', () => { console.log(child.pid); });
      child.send({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { processId: process.pid, capabilities: {}, rootUri: null } });
      setInterval(() => undefined, 1000);`;
    const editor = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve) => {
      editor.stdout.once('data', (chunk: Buffer) => {
        resolve(Number(chunk.toString()));
      });
    });
    process.kill(pid, 0);
    editor.kill('SIGKILL');
    for (let tenths = 0; alive(pid); tenths += 1) {
      assert.ok(tenths < 100, 'the server outlives its editor');
      await delay(100);
    }
  });
});

/** A golden checkpoint as a model folder: it comes without a tokenizer, so it gets one of as many single bytes as fit. */
function tinyModel(parent: string, family: string): string {
  const source = path.join(root, 'test/golden', family);
  const folder = path.join(parent, family);
  mkdirSync(folder);
  for (const name of ['config.json', 'model.safetensors'])
    copyFileSync(path.join(source, name), path.join(folder, name));
  const nano = JSON.parse(readFileSync(path.join(nanoPath, 'tokenizer.json'), 'utf8')) as {
    added_tokens: { id: number; content: string }[];
    model: { vocab: Record<string, number>; merges: unknown[] };
  };
  const config = JSON.parse(readFileSync(path.join(source, 'config.json'), 'utf8')) as { vocab_size: number };
  const vocabulary = Object.entries(nano.model.vocab).filter(([, id]) => id < config.vocab_size);
  nano.model = { ...nano.model, vocab: Object.fromEntries(vocabulary), merges: [] };
  writeFileSync(path.join(folder, 'tokenizer.json'), JSON.stringify(nano));
  return folder;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
