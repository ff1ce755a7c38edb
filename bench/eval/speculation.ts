/**
 * Prompt-lookup speculation on code that the default model was not trained on: tokens a second of plain and of speculative
 * decoding, the same requests turn by turn in one engine.
 * Usage: npm run eval:speculation -- [--lines N] [--repeats N] [--precision bf16|int8]
 *   --lines      places to complete in each set of code
 *   --repeats    runs of each request in each way; the median counts
 *   --precision  only this one
 * Fails when a speculative request gives other tokens or log-probabilities than the plain one.
 */
import { parseArgs } from 'node:util';
import type { Extent } from '../../lsp-server/completion/policy';
import { buildPrompt, promptBudget } from '../../lsp-server/completion/prompt';
import { stopRule, type StopRule } from '../../lsp-server/completion/stop';
import type {
  GeneratedToken,
  GenerateOptions,
  GenerateStatistics,
  Speculation,
} from '../../lsp-server/engine/contract';
import { loadEngine } from '../../lsp-server/engine/native';
import { Detokenizer } from '../../lsp-server/models/detokenizer';
import { joinModel, readModelText, type LanguageModel } from '../../lsp-server/models/language_model';
import { openModelFolder, type ModelFolder } from '../../lsp-server/models/model_folder';
import { table } from '../peers/markdown';
import { addonFile, nanoFolder, root } from '../peers/project';
import { quantile } from '../peers/statistics';
import { lineTasks, type LineTask } from './lines';
import { projectSources, pythonSources, type Source } from './sources';

const median = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

interface Corpus {
  title: string;
  tasks: readonly LineTask[];
}

/** What is asked for. With an extent the request ends where the language server would end it, else at `maxTokens`. */
interface Length {
  title: string;
  extent?: Extent;
  maxTokens: number;
}

const lengths: readonly Length[] = [
  { title: 'rest of the line', extent: 'line', maxTokens: 96 },
  { title: 'block', extent: 'block', maxTokens: 96 },
  { title: '64 tokens', maxTokens: 64 },
  { title: '128 tokens', maxTokens: 128 },
];

interface Outcome {
  tokens: readonly GeneratedToken[];
  statistics: GenerateStatistics;
}

async function generate(
  model: LanguageModel,
  prompt: readonly number[],
  limits: Pick<GenerateOptions, 'maxTokens' | 'stopTokens'>,
  speculation: Speculation,
): Promise<Outcome> {
  const generation = model.engine.generate(prompt, { ...limits, temperature: 0, speculation });
  const tokens: GeneratedToken[] = [];
  for await (const batch of generation) tokens.push(...batch);
  return { tokens, statistics: await generation.done };
}

/** After how many tokens the language server would end this completion. */
function wantedTokens({ tokenizer }: LanguageModel, rule: StopRule, generated: readonly GeneratedToken[]): number {
  const detokenizer = new Detokenizer(tokenizer);
  const tokens: number[] = [];
  let text = '';
  for (const { token } of generated) {
    tokens.push(token);
    text += detokenizer.push([token]);
    if (rule({ text, tokens, finished: false }) !== undefined) break;
  }
  return tokens.length;
}

/** The limits under which a request ends where it should, found by running it plainly once. */
async function limitsOf(model: LanguageModel, { context }: LineTask, prompt: readonly number[], length: Length) {
  const { extent, maxTokens } = length;
  if (extent === undefined) return { maxTokens, stopTokens: [] };
  const { stopTokens } = model;
  const { tokens } = await generate(model, prompt, { maxTokens, stopTokens }, 'off');
  return { maxTokens: wantedTokens(model, stopRule(context, extent), tokens), stopTokens };
}

/** Sums over requests; a request's times are medians of its runs. */
class Sums {
  private steps = 0;
  private plainTime = 0;
  private speculativeTime = 0;
  private drafted = 0;
  private accepted = 0;
  private worst = 0;
  private requests = 0;
  differences = 0;

  add(plain: readonly Outcome[], speculative: readonly Outcome[]): void {
    const [first] = plain;
    if (!first) return;
    const expected = JSON.stringify(first.tokens);
    this.differences += speculative.filter(({ tokens }) => JSON.stringify(tokens) !== expected).length;
    const after = first.statistics.generated - 1; // the first token comes with the prompt
    if (after < 1) return;
    const times = [plain, speculative].map((runs) => median(runs.map(({ statistics }) => statistics.decodeTime)));
    const [plainTime = 0, speculativeTime = 0] = times;
    this.requests += 1;
    this.steps += after;
    this.plainTime += plainTime;
    this.speculativeTime += speculativeTime;
    this.worst = Math.max(this.worst, speculativeTime / plainTime);
    this.drafted += median(speculative.map(({ statistics }) => statistics.drafted));
    this.accepted += median(speculative.map(({ statistics }) => statistics.accepted));
  }

  row(): string[] {
    const rate = (time: number): string => ((1000 * this.steps) / time).toFixed(0);
    return [
      String(this.requests),
      String(this.steps),
      rate(this.plainTime),
      rate(this.speculativeTime),
      (this.plainTime / this.speculativeTime).toFixed(3),
      (this.steps / (this.steps - this.accepted)).toFixed(2),
      `${this.accepted} / ${this.drafted}`,
      (1 / this.worst).toFixed(2),
    ];
  }
}

async function measure(model: LanguageModel, { tasks }: Corpus, length: Length, repeats: number): Promise<Sums> {
  const sums = new Sums();
  for (const task of tasks) {
    const prompt = buildPrompt(model, task.context, promptBudget(model.engine.model.contextLength, length.maxTokens));
    const limits = await limitsOf(model, task, prompt, length);
    if (limits.maxTokens < 2) continue;
    const runs: Record<Speculation, Outcome[]> = { off: [], promptLookup: [] };
    for (let repeat = 0; repeat < repeats; repeat++) {
      const order: Speculation[] = repeat % 2 === 0 ? ['off', 'promptLookup'] : ['promptLookup', 'off'];
      for (const speculation of order) runs[speculation].push(await generate(model, prompt, limits, speculation));
    }
    sums.add(runs.off, runs.promptLookup);
  }
  return sums;
}

const precisions = ['bf16', 'int8'] as const;
type Precision = (typeof precisions)[number];

function readArguments(): { lines: number; repeats: number; chosen: readonly Precision[] } {
  const { values } = parseArgs({
    options: {
      lines: { type: 'string', default: '40' },
      repeats: { type: 'string', default: '3' },
      precision: { type: 'string' },
    },
  });
  const [lines, repeats] = [Number(values.lines), Number(values.repeats)];
  if (!Number.isInteger(lines) || lines < 1 || lines > 10_000)
    throw new Error(`--lines must be a whole number from 1 to 10000, it is "${values.lines}"`);
  if (!Number.isInteger(repeats) || repeats < 1 || repeats > 100)
    throw new Error(`--repeats must be a whole number from 1 to 100, it is "${values.repeats}"`);
  const chosen = precisions.filter((precision) => precision === (values.precision ?? precision));
  if (chosen.length === 0) throw new Error(`--precision must be bf16 or int8, it is "${values.precision ?? ''}"`);
  return { lines, repeats, chosen };
}

function corpora(lines: number): Corpus[] {
  const files = Math.min(48, lines);
  const tasksOf = (sources: readonly Source[]): LineTask[] =>
    sources.flatMap((source, index) => lineTasks(source, Math.ceil(lines / files), index + 1)).slice(0, lines);
  const python = pythonSources(files);
  return [
    { title: "this project's TypeScript", tasks: tasksOf(projectSources(root, files)) },
    { title: `Python ${python.version} standard library`, tasks: tasksOf(python.sources) },
  ];
}

async function openModel(folder: ModelFolder, precision: Precision): Promise<LanguageModel> {
  const options = { device: 'cpu', precision, threads: 0, slots: 2, contextLength: 0 } as const;
  return joinModel(folder, readModelText(folder), await loadEngine(addonFile(), nanoFolder, options));
}

async function main(): Promise<void> {
  const { lines, repeats, chosen } = readArguments();
  const folder = await openModelFolder(nanoFolder, nanoFolder);
  const sets = corpora(lines);
  const rows: string[][] = [];
  let differences = 0;
  for (const precision of chosen) {
    const model = await openModel(folder, precision);
    try {
      console.error(model.engine.model.description);
      for (const length of lengths) {
        for (const corpus of sets) {
          const sums = await measure(model, corpus, length, repeats);
          rows.push([precision, length.title, corpus.title, ...sums.row()]);
          console.error(`  ${rows.at(-1)?.join('  ') ?? ''}`);
          differences += sums.differences;
        }
      }
    } finally {
      await model.engine.dispose();
    }
  }
  const head = ['weights', 'asked for', 'code', 'requests', 'tokens', 'plain, tokens/s', 'speculative', 'ratio'];
  console.log(table([[...head, 'tokens a step', 'accepted / drafted', 'slowest request'], ...rows]));
  console.log('Decode only: the first token comes with the prompt. The slowest request is a ratio, too.');
  console.log(differences === 0 ? 'PASS: all results are equal to the bit.' : `FAIL: ${differences} results differ.`);
  if (differences > 0) process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
