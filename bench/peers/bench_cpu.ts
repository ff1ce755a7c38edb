/**
 * Compares our CPU engine with llama.cpp on the same weights, in one run.
 * Usage: npm run bench:cpu -- [--quick] [--large] [--model S|M|N]
 *   --quick  one model, few repeats, about a minute; docs/performance.md stays as it is
 *   --large  the 2B shape too: 12 GB of model files on first use, about 16 GiB of memory
 *   --model  only this one (N: nano's weights in the shape of a Llama); docs/performance.md stays as it is
 */
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { proveAgreement, type AgreementRow } from './agreement';
import { machineLines } from './machine';
import { installPeers, type Peers } from './install';
import { writeSection } from './markdown';
import { measurePairing, memoryRow, type Effort } from './measure';
import { nanoAsLlama } from './models/nano';
import { randomLlama } from './models/random';
import { shapes } from './models/shapes';
import { ModelStore } from './models/store';
import { type LlamaWeights } from './models/weights';
import { measureNano } from './nano_row';
import { formats, Pairing, type Formats } from './pairing';
import { nanoFolder, root } from './project';
import { reportText } from './report';
import { type Row } from './rows';

interface Task {
  model: LlamaWeights;
  formats: readonly Formats[];
  threads: readonly number[];
  effort: Effort;
  withNode: boolean;
}

const full: Effort = {
  repeats: { wanted: 5, rounds: 8 },
  seconds: 0.4,
  depths: [0, 512],
  coldPrompts: [64, 512, 1800],
  reusedPrompts: [64, 512, 1800],
  busy: [1, 2],
};
const speedOnly: Effort = { ...full, depths: [0], coldPrompts: [512], reusedPrompts: [], busy: [] };
const quick: Effort = {
  repeats: { wanted: 3, rounds: 4 },
  seconds: 0.2,
  depths: [0],
  coldPrompts: [512],
  reusedPrompts: [512],
  busy: [],
};
const large: Effort = {
  ...full,
  repeats: { wanted: 3, rounds: 4 },
  seconds: 3,
  depths: [0],
  coldPrompts: [512],
  reusedPrompts: [512],
  busy: [],
};

function tasks(options: { quick: boolean; large: boolean }): Task[] {
  const both = [formats.bf16, formats.int8];
  const threads = [1, 2];
  const small = randomLlama(shapes.S);
  if (options.quick) return [{ model: small, formats: both, threads, effort: quick, withNode: false }];
  const medium = randomLlama(shapes.M);
  const list: Task[] = [
    { model: small, formats: [formats.f32], threads, effort: speedOnly, withNode: false },
    { model: small, formats: both, threads, effort: full, withNode: true },
    { model: nanoAsLlama(nanoFolder), formats: both, threads, effort: speedOnly, withNode: false },
    { model: medium, formats: both, threads, effort: full, withNode: true },
  ];
  // Two of each engine would not fit into memory.
  if (options.large)
    list.push({ model: randomLlama(shapes.L), formats: both, threads: [2], effort: large, withNode: false });
  return list;
}

async function runTask(task: Task, store: ModelStore, peers: Peers, report: (row: Row) => void): Promise<string[]> {
  const notes: string[] = [];
  for (const pair of task.formats) {
    console.error(`\n${task.model.shape.title}, ${pair.title}`);
    await using pairing = await Pairing.start(task.model, pair, { store, peers, ...task });
    await measurePairing(pairing, task.effort, report);
    report(memoryRow(pairing));
  }
  return notes;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      large: { type: 'boolean', default: false },
      model: { type: 'string' },
    },
  });
  const peers = installPeers(!values.quick);
  const store = new ModelStore(path.join(root, '.cache/bench-models'));
  const rows: Row[] = [];
  const notes: string[] = [
    `llama.cpp as in node-llama-cpp ${peers.version}: ${peers.native === undefined ? 'its npm build' : 'the better of its npm build and one made here with -march=native'}, driven through its C API with a persistent thread pool.`,
    'Medians of interleaved repeats ± half the distance of the quartiles; a tilde marks figures that other programs disturbed.',
    'Ratios: ours at the most threads against llama.cpp at its best number of threads, over 1 is better.',
  ];
  const report = (row: Row): void => {
    rows.push(row);
    const figures = row.cells.map(
      ({ engine, threads, figure }) => `${engine} ${threads}: ${figure.median.toPrecision(4)}`,
    );
    console.error(`  ${JSON.stringify(row.measure)} ${figures.join('; ')}`);
  };
  const list = tasks(values).filter(({ model }) => values.model === undefined || model.shape.name === values.model);
  if (list.length === 0) throw new Error(`There is no model ${values.model ?? ''}: S, M, N, or L with --large.`);
  const proven = new Set(list.map(({ model }) => model).filter(({ shape }) => shape.name !== 'L'));
  const agreement: AgreementRow[] = [];
  for (const model of proven) agreement.push(...(await proveAgreement(model, store, peers)));
  for (const task of list) notes.push(...(await runTask(task, store, peers, report)));
  for (const precision of ['bf16', 'int8'] as const)
    rows.push(await measureNano(peers, values.quick ? quick : full, precision));
  const text = reportText({ machine: machineLines(), rows, notes, agreement });
  console.log(text);
  if (!values.quick && values.model === undefined) writeSection(path.join(root, 'docs/performance.md'), 'cpu', text);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
