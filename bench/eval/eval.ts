/**
 * Quality of the default model on code that it was not trained on, for each way to run it: loss, and exact match of
 * completed lines. Usage: npm run eval -- [--lines N]
 *   --lines  completed lines in all; the loss is taken of files in proportion. The default takes some minutes.
 * Fails when a configuration is, over all code, worse than the first by more than 0.5 % of loss or one point of exact
 * match.
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
  const outcomes: Outcome[] = corpora.map(() => ({ losses: [], matches: [] }));
  {
    await using scores = await startScorer(scorer, configuration);
    for (const [index, { windows }] of corpora.entries()) {
      outcomes[index]?.losses.push(...(await losses(scores, everyNth(windows, configuration.part))));
    }
  }
  const engine = await startEngine(configuration);
  try {
    const model = joinModel(folder, readModelText(folder), engine);
    for (const [index, { tasks }] of corpora.entries()) {
      outcomes[index]?.matches.push(...(await exactMatches(model, everyNth(tasks, configuration.part))));
    }
  } finally {
    await engine.dispose();
  }
  return outcomes;
}

const points = (matches: readonly boolean[]): number => 100 * mean(matches.map(Number));

/** The part of an outcome that a configuration with this part has seen. */
const partOf = ({ losses: all, matches }: Outcome, part: number): Outcome => ({
  losses: everyNth(all, part),
  matches: everyNth(matches, part),
});

const together = (outcomes: readonly Outcome[]): Outcome => ({
  losses: outcomes.flatMap(({ losses: all }) => all),
  matches: outcomes.flatMap(({ matches }) => matches),
});

/** A line of the table, and whether the outcome keeps within the limits of the first. */
function judge(titles: readonly string[], first: Outcome, outcome: Outcome): { line: string[]; good: boolean } {
  const [loss, firstLoss] = [mean(outcome.losses.flat()), mean(first.losses.flat())];
  const [match, firstMatch] = [points(outcome.matches), points(first.matches)];
  const change = loss / firstLoss - 1;
  const line = [
    ...titles,
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

/** Lines to complete in each of the two sets of code, and from how many files. */
interface Amount {
  lines: number;
  files: number;
}

function corpus(title: string, sources: readonly Source[], folder: ModelFolder, { lines, files }: Amount): Corpus {
  const text = readModelText(folder);
  return {
    title,
    windows: sources.map((source) => windowOf(text, source, 1024)),
    tasks: sources.flatMap((source, index) => lineTasks(source, Math.ceil(lines / files), index + 1)).slice(0, lines),
  };
}

function readAmount(): Amount {
  const { values } = parseArgs({ options: { lines: { type: 'string', default: '500' } } });
  const lines = Number(values.lines);
  if (!Number.isInteger(lines) || lines < 32 || lines > 20_000)
    throw new Error(`--lines must be a whole number from 32 to 20000, it is "${values.lines}"`);
  return { lines: Math.ceil(lines / 2), files: Math.min(48, Math.ceil(lines / 4)) };
}

async function main(): Promise<void> {
  const amount = readAmount();
  const folder = await openModelFolder(nanoFolder, nanoFolder);
  const python = pythonSources(amount.files);
  const corpora = [
    corpus("this project's TypeScript", projectSources(root, amount.files), folder, amount),
    corpus(`Python ${python.version} standard library`, python.sources, folder, amount),
  ];
  const scorer = buildScorer();
  const lines: string[][] = [];
  const bad: string[] = [];
  let first: Outcome[] | undefined;
  for (const configuration of configurations(loadAddon(addonFile()).probe().instructionSets)) {
    console.error(configuration.title);
    const outcomes = await run(scorer, folder, configuration, corpora);
    first ??= outcomes;
    const reference = first.map((outcome) => partOf(outcome, configuration.part));
    const add = (title: string, before: Outcome, after: Outcome): boolean => {
      const { line, good } = judge([configuration.title, title], before, after);
      console.error(`  ${line.slice(1).join('  ')}`);
      lines.push(line);
      return good;
    };
    for (const [index, { title }] of corpora.entries()) {
      const [before, after] = [reference[index], outcomes[index]];
      if (before && after) add(title, before, after);
    }
    if (!add('all', together(reference), together(outcomes))) bad.push(configuration.title);
  }
  const head = ['configuration', 'code', 'tokens', 'loss, nats/token', 'change', 'lines', 'exact match, %', 'change'];
  console.log(table([head, ...lines]));
  console.log('Changes are against the first configuration on the same files and lines.');
  const limits = `within ${lossLimit * 100} % of its loss and ${matchLimit} point of its exact match`;
  console.log(bad.length === 0 ? `PASS: all are ${limits}.` : `FAIL: not ${limits}: ${bad.join('; ')}.`);
  if (bad.length > 0) process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
