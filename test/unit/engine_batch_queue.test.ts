import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchQueue } from '../../lsp-server/engine/batch_queue';

function queueWithLeaveCount() {
  const left = { count: 0 };
  return { queue: new BatchQueue<number>(() => left.count++), left };
}

async function rest(queue: BatchQueue<number>): Promise<number[]> {
  const items: number[] = [];
  for await (const item of queue) items.push(item);
  return items;
}

void test('batch queue: what was pushed comes out in order, before and after the end', async () => {
  const { queue } = queueWithLeaveCount();
  queue.push(1);
  queue.push(2);
  assert.deepEqual(await queue.next(), { done: false, value: 1 });
  queue.push(3);
  queue.end();
  queue.push(4);
  assert.deepEqual(await rest(queue), [2, 3]);
  assert.deepEqual(await queue.next(), { done: true, value: undefined });
});

void test('batch queue: waiting calls of next are answered in order', async () => {
  const { queue } = queueWithLeaveCount();
  const waiting = [queue.next(), queue.next(), queue.next(), queue.next()];
  queue.push(1);
  queue.push(2);
  queue.end();
  assert.deepEqual(await Promise.all(waiting), [
    { done: false, value: 1 },
    { done: false, value: 2 },
    { done: true, value: undefined },
    { done: true, value: undefined },
  ]);
});

void test('batch queue: an error comes once, after what is left', async () => {
  const { queue } = queueWithLeaveCount();
  queue.push(1);
  queue.end(new Error('broken'));
  assert.deepEqual(await queue.next(), { done: false, value: 1 });
  await assert.rejects(queue.next(), /broken/);
  assert.deepEqual(await queue.next(), { done: true, value: undefined });
});

void test('batch queue: an error reaches a consumer that already waits', async () => {
  const { queue } = queueWithLeaveCount();
  const waiting = queue.next();
  queue.end(new Error('broken'));
  await assert.rejects(waiting, /broken/);
  assert.deepEqual(await queue.next(), { done: true, value: undefined });
});

void test('batch queue: close drops what is left and ends who waits', async () => {
  const { queue } = queueWithLeaveCount();
  queue.push(1);
  queue.close();
  queue.end(new Error('too late'));
  assert.deepEqual(await rest(queue), []);
  const other = queueWithLeaveCount().queue;
  const waiting = other.next();
  other.close();
  assert.deepEqual(await waiting, { done: true, value: undefined });
});

void test('batch queue: leaving the iteration tells the producer', async () => {
  const { queue, left } = queueWithLeaveCount();
  queue.push(1);
  queue.push(2);
  for await (const item of queue) {
    assert.equal(item, 1);
    break;
  }
  assert.equal(left.count, 1);
  assert.deepEqual(await rest(queue), []);
});
