import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatsParams } from '../../lsp-server/protocol';
import { Reporter } from '../../lsp-server/reporter';

test('reporter: a model that is being loaded does not inherit the rate of the one before', async () => {
  const told: StatsParams[] = [];
  const reporter = new Reporter({ status: () => undefined, stats: (stats) => told.push(stats) });
  const request = (decodeRate: number) => {
    reporter.started();
    reporter.ended('completion', 5, {
      stop: 'maxTokens',
      queued: 0,
      reused: 0,
      prefilled: 5,
      generated: 20,
      drafted: 0,
      accepted: 0,
      timeToFirstToken: 1,
      decodeRate,
      decodeTime: 20_000 / decodeRate,
    });
  };
  reporter.setState({ state: 'loading', progress: 0 });
  reporter.setState({ state: 'ready' });
  request(100);
  reporter.setState({ state: 'loading', progress: 0 });
  reporter.setState({ state: 'ready' });
  await new Promise((resolve) => setTimeout(resolve, 300)); // they are told four times a second
  assert.equal(told.at(-1)?.recentRate, 0);
  request(50);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(told.at(-1)?.recentRate, 50);
  reporter[Symbol.dispose]();
});
