/**
 * Quality of the default model on code that it was not trained on, for each way to run it: loss, and exact match of
 * completed lines. Usage: npm run eval -- [--quick]
 * Fails when a configuration is worse than the first by more than 0.5 % of loss or one point of exact match.
 */
import { parseArgs } from 'node:util';
import { loadAddon } from '../../lsp-server/engine/addon';
import { joinModel, readModelText } from '../../lsp-server/models/language_model';
import { openModelFolder, type ModelFolder } from '../../lsp-server/models/model_folder';
import { table } from '../peers/markdown';
import { addonFile, nanoFolder, root } from '../peers/project';
import { buildScorer, configurations, startEngine, startScorer, type Configuration } from './configurations';
import { exactMatches, lineTasks, type LineTask } from './lines';
import { losses, mean, windowOf, type Window } from './loss';
import { projectSources, pythonSources, type Source } from './sources';

/** One set of held-out code. */
interface Corpus {
  title: string;
  windows: readonly Window[];
  tasks: readonly LineTask[];
}

/** What one configuration got on one corpus. */
interface Outcome {
  losses: number[][];
  matches: boolean[];
}

/** Most that a configuration may lose against the first: part of the loss, and points of exact match (one line always). */
const lossLimit = 0.005;
const matchLimit = 1;

const everyNth = <T>(items: readonly T[], n: number): T[] => items.filter((_, index) => index % n === 0);

async function run(
  scorer: string,
  folder: ModelFolder,
  configuration: Configuration,
  corpora: readonly Corpus[],
): Promise<Outcome[]> {
  await using scores = await startScorer(scorer, configuration);
  const engine = await startEngine(configuration);
  const inTurn = async <T>(work: (corpus: Corpus) => Promise<T>): Promise<T[]> => {
    const results: T[] = [];
    for (const corpus of corpora) results.push(await work(corpus));
    return results;
  };
  try {
    const model = joinModel(folder, readModelText(folder), engine);
    const [allLosses, allMatches] = await Promise.all([
      inTurn(({ windows }) => losses(scores, everyNth(windows, configuration.part))),
      inTurn(({ tasks }) => exactMatches(model, everyNth(tasks, configuration.part))),
    ]);
    return allLosses.map((found, index) => ({ losses: found, matches: allMatches[index] ?? [] }));
  } finally {
    await engine.dispose();
  }
}

const points = (matches: readonly boolean[]): number => 100 * mean(matches.map(Number));

/** A line of the table, and whether the configuration keeps within the limits of the first. */
function judge(
  corpus: Corpus,
  configuration: Configuration,
  first: Outcome,
  outcome: Outcome,
): { line: string[]; good: boolean } {
  const [loss, firstLoss] = [outcome.losses, everyNth(first.losses, configuration.part)].map((all) => mean(all.flat()));
  const [match, firstMatch] = [outcome.matches, everyNth(first.matches, configuration.part)].map(points);
  if (loss === undefined || firstLoss === undefined || match === undefined || firstMatch === undefined)
    throw new Error('No outcome');
  const change = loss / firstLoss - 1;
  const line = [
    configuration.title,
    corpus.title,
    String(outcome.losses.flat().length),
    loss.toFixed(4),
    `${(100 * change).toFixed(3)} %`,
    String(outcome.matches.length),
    match.toFixed(1),
    (match - firstMatch).toFixed(1),
  ];
  return {
    line,
    good: change <= lossLimit && match >= firstMatch - Math.max(matchLimit, 100 / outcome.matches.length),
  };
}

function corpus(title: string, sources: readonly Source[], folder: ModelFolder, quick: boolean): Corpus {
  const text = readModelText(folder);
  return {
    title,
    windows: sources.map((source) => windowOf(text, source, quick ? 512 : 1024)),
    tasks: sources.flatMap((source, index) => lineTasks(source, quick ? 1 : 3, index + 1)),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
  const files = values.quick ? 16 : 48;
  const folder = await openModelFolder(nanoFolder, nanoFolder);
  const python = pythonSources(files);
  const corpora = [
    corpus("this project's TypeScript", projectSources(root, files), folder, values.quick),
    corpus(`Python ${python.version} standard library`, python.sources, folder, values.quick),
  ];
  const scorer = buildScorer();
  const all = configurations(loadAddon(addonFile()).probe().instructionSets);
  const lines: string[][] = [];
  const bad: string[] = [];
  let first: Outcome[] | undefined;
  for (const configuration of all) {
    console.error(configuration.title);
    const outcomes = await run(scorer, folder, configuration, corpora);
    first ??= outcomes;
    for (const [index, set] of corpora.entries()) {
      const [reference, outcome] = [first[index], outcomes[index]];
      if (!reference || !outcome) throw new Error(`No outcome for ${set.title}`);
      const { line, good } = judge(set, configuration, reference, outcome);
      console.error(`  ${line.slice(1).join('  ')}`);
      lines.push(line);
      if (!good) bad.push(`${configuration.title} on ${set.title}`);
    }
  }
  const head = ['configuration', 'code', 'tokens', 'loss, nats/token', 'change', 'lines', 'exact match, %', 'change'];
  console.log(table([head, ...lines]));
  console.log('Changes are against the first configuration on the same files.');
  if (bad.length > 0) {
    console.error(`Worse than ${lossLimit * 100} % of loss or ${matchLimit} point of exact match: ${bad.join('; ')}`);
    process.exitCode = 1;
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
