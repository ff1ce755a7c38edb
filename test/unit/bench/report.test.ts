import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines } from '../../../bench/peers/pairing';
import { reportText } from '../../../bench/peers/report';
import type { Cell, Row } from '../../../bench/peers/rows';

const cell = (threads: number, median: number): Cell => ({
  engine: engines.ours,
  threads,
  figure: { median, spread: 0, samples: 1, disturbed: false },
});

test('a time to the first token is held against decode steps of the same threads', () => {
  const row: Row = {
    model: 'S',
    weights: 'int8',
    measure: { kind: 'first', prompt: 1800, reused: 1780 },
    cells: [cell(1, 8), cell(2, 5)],
    decodeAfter: [cell(1, 1), cell(2, 470)],
  };
  const text = reportText({ machine: [], rows: [row], notes: [], agreement: [] });
  const line = text.split('\n').find((some) => some.startsWith('| S '));
  assert.equal(line?.split('|').at(-2)?.trim(), '2.35');
});
