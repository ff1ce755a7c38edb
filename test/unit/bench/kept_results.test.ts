import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { keepResults } from '../../../bench/peers/kept_results';
import type { Row } from '../../../bench/peers/rows';

const row = (weights: string, depth: number, median: number): Row => ({
  model: 'S',
  weights,
  measure: { kind: 'decode', depth, busy: 0 },
  cells: [{ engine: 'ours', threads: 1, figure: { median, spread: 0, samples: 1, disturbed: false } }],
});

test('results of quick runs: a new one replaces the same measurement and leaves the others', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'kept-'));
  try {
    const file = path.join(folder, 'new', 'kept.json');
    keepResults(file, { rows: [row('bf16', 0, 1), row('int8', 0, 2)], agreement: [] });
    const { rows } = keepResults(file, { rows: [row('int8', 0, 3), row('int8', 512, 4)], agreement: [] });
    assert.deepEqual(
      rows.map(({ cells }) => cells[0]?.figure.median),
      [1, 3, 4],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
