import { type AgreementRow } from './agreement';
import { cellText, digits, percent, ratioText, table } from './markdown';
import { referenceRows } from './reference';
import { best, llama, mostThreads, node, ours, ratio, type Cell, type Row } from './rows';

/** What was measured, and under which circumstances. */
export interface Results {
  machine: readonly string[];
  rows: readonly Row[];
  /** How the figures are to be read, and what was left out. */
  notes: readonly string[];
  agreement: readonly AgreementRow[];
}

const versus = 'ours / llama.cpp';

/** Threads of a table's columns: 1 and the most. */
function threadCounts(rows: readonly Row[]): number[] {
  return [...new Set(rows.flatMap(({ cells }) => cells.map(({ threads }) => threads)))].sort((a, b) => a - b);
}

function perThreads(row: Row, counts: readonly number[], titles: readonly string[]): string[] {
  return counts.map((count) => cellText(best(row, titles, count)));
}

function threadHeads(counts: readonly number[]): string[] {
  return ['ours', 'llama.cpp'].flatMap((title) => counts.map((count) => `${title}, ${count} thr`));
}

function shareOfLimit({ limit }: Row, cell: Cell | undefined): string {
  return percent(limit && cell && (cell.figure.median * limit.bytes) / 1e9 / limit.rate.median);
}

function decodeTable(rows: readonly Row[]): string {
  const counts = threadCounts(rows);
  const body = rows.map((row) => {
    const mine = best(row, ours, mostThreads(row));
    const theirs = best(row, llama);
    const depth = row.measure.kind === 'decode' ? String(row.measure.depth) : '';
    return [
      ...[row.model, row.weights, depth, handOffText(row)],
      ...perThreads(row, counts, ours),
      ...perThreads(row, counts, llama),
      ratioText(ratio(row, mine, theirs)),
      row.limit ? digits(row.limit.rate.median) : '-',
      shareOfLimit(row, mine),
      shareOfLimit(row, theirs),
    ];
  });
  const limits = ['read limit, GB/s', 'ours of it', 'llama.cpp of it'];
  return table([['model', 'weights', 'depth', handOffHead, ...threadHeads(counts), versus, ...limits], ...body]);
}

const handOffHead = 'hand-off, ns';

const handOffText = ({ handOff }: Row): string => (handOff === undefined ? '-' : handOff.toFixed(0));

const stepsHead = 'ours, in decode steps at that depth';

/** A time to the first token in decode steps of the same threads after the same prompt. */
function decodeSteps(row: Row, mine: Cell | undefined): string {
  const after = row.decodeAfter?.find(({ threads }) => threads === mine?.threads);
  return mine && after ? ((mine.figure.median / 1000) * after.figure.median).toFixed(2) : '';
}

function firstTokenTable(rows: readonly Row[]): string {
  const counts = threadCounts(rows);
  const body = rows.flatMap((row) => {
    if (row.measure.kind !== 'first') return [];
    const { prompt, reused } = row.measure;
    const mine = best(row, ours, mostThreads(row));
    const rate = mine && reused === 0 ? digits((prompt / mine.figure.median) * 1000) : '';
    const cells = [...perThreads(row, counts, ours), ...perThreads(row, counts, llama)];
    return [
      [
        row.model,
        row.weights,
        String(prompt),
        String(reused),
        handOffText(row),
        ...cells,
        ratioText(ratio(row, mine, best(row, llama))),
        rate,
        decodeSteps(row, mine),
      ],
    ];
  });
  return table([
    [
      ...['model', 'weights', 'prompt', 'reused', handOffHead, ...threadHeads(counts)],
      ...[versus, 'ours, prompt tokens/s', stepsHead],
    ],
    ...body,
  ]);
}

function busyTable(rows: readonly Row[]): string {
  const counts = threadCounts(rows);
  const body = rows.map((row) => {
    const most = mostThreads(row);
    const mine = best(row, ours, most);
    const busy = row.measure.kind === 'decode' ? String(row.measure.busy) : '';
    return [
      ...[row.model, row.weights, busy],
      ...perThreads(row, counts, ours),
      ...perThreads(row, counts, llama),
      ratioText(ratio(row, mine, best(row, llama, most))),
      ratioText(ratio(row, mine, best(row, llama))),
      ratioText(ratio(row, mine, best(row, ours))),
    ];
  });
  const ratios = ['ours / llama.cpp, same threads', 'ours / llama.cpp at its best', 'ours / our better choice'];
  return table([['model', 'weights', 'busy beside', ...threadHeads(counts), ...ratios], ...body]);
}

function memoryTable(rows: readonly Row[]): string {
  const megabytes = (cell: Cell | undefined): string => (cell ? digits(cell.figure.median / 1e6) : '-');
  const body = rows.map((row) => {
    const most = mostThreads(row);
    const [mine, theirs] = [best(row, ours, most), best(row, llama, most)];
    const needed = row.memory === undefined ? undefined : row.memory / 1e6;
    const times = mine && needed !== undefined ? (mine.figure.median / 1e6 / needed).toFixed(2) : '-';
    return [
      row.model,
      row.weights,
      needed === undefined ? '-' : digits(needed),
      megabytes(mine),
      times,
      megabytes(theirs),
    ];
  });
  return table([['model', 'weights', 'weights and KV cache', 'ours', 'of that', 'llama.cpp'], ...body]);
}

function nodeTable(rows: readonly Row[]): string {
  const counts = threadCounts(rows);
  const body = rows.map((row) => {
    const what = row.measure.kind === 'decode' ? 'decode, tokens/s' : 'prompt of 512, ms';
    return [
      row.model,
      row.weights,
      what,
      ...perThreads(row, counts, node),
      ratioText(ratio(row, best(row, ours, mostThreads(row)), best(row, node))),
    ];
  });
  return table([
    ['model', 'weights', '', ...counts.map((count) => `node-llama-cpp, ${count} thr`), 'ours / its best'],
    ...body,
  ]);
}

function referenceTable(): string {
  const text = (value: number | undefined): string => (value === undefined ? '-' : digits(value));
  const body = referenceRows.map((row) => [
    row.program,
    row.weights,
    text(row.decode),
    text(row.decodeDepth512),
    text(row.prompt512),
  ]);
  return table([['program', 'weights', 'decode', 'decode at depth 512', 'prompt of 512'], ...body]);
}

function agreementTable(rows: readonly AgreementRow[]): string {
  const body = rows.map((row) => [
    row.who,
    row.model,
    row.format,
    `${row.compared - row.wrong} of ${row.compared}`,
    `${row.undecided} (within ${row.tolerance})`,
    row.largestDifference.toFixed(4),
  ]);
  return table([
    ['engine', 'model', 'weights', 'as in f32', 'too close to call', 'largest difference of log-probability'],
    ...body,
  ]);
}

/** All tables as Markdown. */
export function reportText({ machine, rows, notes, agreement }: Results): string {
  const decode = rows.filter(({ measure }) => measure.kind === 'decode' && measure.busy === 0);
  const first = rows.filter(({ measure }) => measure.kind === 'first');
  const busy = rows.filter(({ measure }) => measure.kind === 'decode' && measure.busy > 0);
  const memory = rows.filter(({ measure }) => measure.kind === 'memory');
  const throughNode = [...decode, ...first].filter((row) => best(row, node) !== undefined);
  const parts: [string, readonly Row[], (rows: readonly Row[]) => string][] = [
    ['Decode, tokens/s', decode, decodeTable],
    ['Time to the first token, ms', first, firstTokenTable],
    ['Decode beside other work, tokens/s', busy, busyTable],
    ['Most memory held, MB', memory, memoryTable],
    ['Through node-llama-cpp', throughNode, nodeTable],
  ];
  return [
    '## CPU: beside llama.cpp on the same weights',
    '',
    ...machine.map((line) => `- ${line}`),
    ...notes.map((line) => `- ${line}`),
    ...parts
      .filter(([, some]) => some.length > 0)
      .flatMap(([title, some, make]) => ['', `### ${title}`, '', make(some)]),
    '',
    '### The same model: greedy steps against llama.cpp in f32',
    '',
    agreementTable(agreement),
    '',
    '### Not measured here: fixed figures from another machine, tokens/s, 2 threads',
    '',
    "llama.cpp's own llama-bench, and its strongest fork, on 2 cores of an Intel Xeon with AVX-512 at 3.0 GHz, same shapes:",
    'constants, to hold the tables above against.',
    '',
    referenceTable(),
  ].join('\n');
}
