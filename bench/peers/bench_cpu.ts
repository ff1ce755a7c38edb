/**
 * Compares our CPU engine with llama.cpp on the same weights, in one run.
 * Usage: npm run bench:cpu -- [--quick] [--large] [--model S|M|L|N|nano] [--weights bf16|int8] [--write] [--busy]
 *   --quick    few repeats, without node-llama-cpp, at most about 80 s a model and format; the results are kept beside those of other quick runs
 *   --large    the 2B shape too, also with --quick: 12 GB of model files on first use, about 16 GiB of memory
 *   --model    only this one (L: with --large; N: nano's weights in the shape of a Llama; nano: the default model, ours only)
 *   --weights  only these
 *   --write    with --quick: writes all kept results of quick runs into docs/performance.md
 *   --busy     only the decode in bf16 beside busy processes; docs/performance.md stays as it is
 * A full run of everything writes docs/performance.md too.
 */
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { proveAgreement, type AgreementRow } from './agreement';
import { machineLines } from './machine';
import { installPeers, type Peers } from './install';
import { keepResults } from './kept_results';
import { writeSection } from './markdown';
import { measurePairing, memoryRow, type Effort } from './measure';
import { nanoAsLlama } from './models/nano';
import { randomLlama } from './models/random';
import { shapes } from './models/shapes';
import { ModelStore } from './models/store';
import { type LlamaWeights } from './models/weights';
import { measureNano } from './nano_row';
import { formats, Pairing, type Formats, type Precision } from './pairing';
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
  repeats: { wanted: 5, rounds: 12 },
  seconds: 0.4,
  depths: [0, 512],
  coldPrompts: [64, 512, 1800],
  reusedPrompts: [64, 512, 1800],
  busy: [1, 2],
};
const speedOnly: Effort = { ...full, depths: [0], coldPrompts: [512], reusedPrompts: [], busy: [] };
const quick: Effort = {
  repeats: { wanted: 3, rounds: 9 },
  seconds: 0.2,
  depths: [0],
  coldPrompts: [512],
  reusedPrompts: [512],
  busy: [],
};
const large: Effort = {
  ...full,
  repeats: { wanted: 3, rounds: 7 },
  seconds: 3,
  depths: [0],
  coldPrompts: [512],
  reusedPrompts: [512],
  busy: [],
};

/** Of a task, only what --busy asks for. */
function besideBusyProcesses(task: Task): Task {
  const effort: Effort = { ...task.effort, depths: [], coldPrompts: [], reusedPrompts: [], busy: full.busy };
  return { ...task, formats: [formats.bf16], effort, withNode: false };
}

function tasks(options: { quick: boolean; large: boolean; weights: readonly Precision[] }): Task[] {
  const both = options.weights.map((weights) => formats[weights]);
  const threads = [1, 2];
  const small = randomLlama(shapes.S);
  const medium = randomLlama(shapes.M);
  // Two of each engine would not fit into memory.
  const largest: Task[] = options.large
    ? [{ model: randomLlama(shapes.L), formats: both, threads: [2], effort: large, withNode: false }]
    : [];
  if (options.quick) {
    const few = [small, medium].map((model) => ({ model, formats: both, threads, effort: quick, withNode: false }));
    return [...few, ...largest];
  }
  return [
    { model: small, formats: [formats.f32], threads, effort: speedOnly, withNode: false },
    { model: small, formats: both, threads, effort: full, withNode: true },
    { model: nanoAsLlama(nanoFolder), formats: both, threads, effort: speedOnly, withNode: false },
    { model: medium, formats: both, threads, effort: full, withNode: true },
    ...largest,
  ];
}

async function runTask(task: Task, store: ModelStore, peers: Peers, report: (row: Row) => void): Promise<void> {
  for (const pair of task.formats) {
    console.error(`\n${task.model.shape.title}, ${pair.title}`);
    await using pairing = await Pairing.start(task.model, pair, { store, peers, ...task });
    await measurePairing(pairing, task.effort, report);
    report(memoryRow(pairing));
  }
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      large: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      model: { type: 'string' },
      busy: { type: 'boolean', default: false },
      weights: { type: 'string' },
    },
  });
  const { model, weights, ...others } = values;
  if (weights !== undefined && weights !== 'bf16' && weights !== 'int8')
    throw new Error(`--weights must be bf16 or int8, it is "${weights}".`);
  const precisions: Precision[] = weights === undefined ? ['bf16', 'int8'] : [weights];
  return { ...others, model, weights: precisions, whole: model === undefined && weights === undefined };
}

async function main(): Promise<void> {
  const options = readOptions();
  const peers = installPeers(!options.quick);
  const store = new ModelStore(path.join(root, '.cache/bench-models'));
  const rows: Row[] = [];
  const report = (row: Row): void => {
    rows.push(row);
    const figures = row.cells.map(
      ({ engine, threads, figure }) => `${engine} ${threads}: ${figure.median.toPrecision(4)}`,
    );
    console.error(`  ${JSON.stringify(row.measure)} ${figures.join('; ')}`);
  };
  const wanted = (name: string): boolean => options.model === undefined || options.model === name;
  const whole = tasks(options).filter(({ model }) => wanted(model.shape.name));
  const list = options.busy
    ? whole.filter(({ formats: some }) => some.includes(formats.bf16)).map(besideBusyProcesses)
    : whole;
  if (list.length === 0 && !wanted('nano'))
    throw new Error(`There is no model ${options.model ?? ''}: S, M, nano, N without --quick, or L with --large.`);
  const proven = new Set(
    (options.busy ? [] : list).map(({ model }) => model).filter(({ shape }) => shape.name !== 'L'),
  );
  const checked = options.whole ? Object.values(formats) : options.weights.map((weights) => formats[weights]);
  const agreement: AgreementRow[] = [];
  for (const model of proven) agreement.push(...(await proveAgreement(model, checked, store, peers)));
  for (const task of list) await runTask(task, store, peers, report);
  for (const weights of wanted('nano') && !options.busy ? options.weights : [])
    report(await measureNano(peers, options.quick ? quick : full, weights));

  const results = options.quick && !options.busy ? keepResults(keptFile, { rows, agreement }) : { rows, agreement };
  const text = reportText({ machine: machineLines(), notes: notesOn(peers, options.quick), ...results });
  console.log(text);
  if (!options.busy && (options.quick ? options.write : options.whole))
    writeSection(path.join(root, 'docs/performance.md'), 'cpu', text);
}

const keptFile = path.join(root, '.cache/bench-cpu.json');

function notesOn(peers: Peers, isQuick: boolean): string[] {
  const { wanted, rounds } = (isQuick ? quick : full).repeats;
  return [
    `llama.cpp as in node-llama-cpp ${peers.version}: ${peers.native === undefined ? 'its npm build' : 'the better of its npm build and one made here with -march=native'}, driven through its C API with a persistent thread pool.`,
    `Medians of ${wanted} interleaved repeats (${rounds} when some are disturbed) ± half the distance of the quartiles; a tilde marks figures that other programs disturbed.`,
    "A row's samples were all taken with a hand-off from one processor to the other taking about as long as it says: a hypervisor moves them, and what memory gives with them.",
    'Ratios: ours at the most threads against llama.cpp at its best number of threads, over 1 is better.',
    ...(isQuick
      ? ['Each model and format by `npm run bench:cpu -- --quick --model NAME --weights FORMAT --write`.']
      : []),
  ];
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
