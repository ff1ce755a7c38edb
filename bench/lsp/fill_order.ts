/**
 * Which order of prefix and suffix suits the default model: exact match of completed lines on code that it was not
 * trained on, and what a keystroke costs. Usage: npm run bench:order -- [--tasks N]
 */
import { parseArgs } from 'node:util';
import { loadEngine } from '../../lsp-server/engine/native';
import { cursorContext } from '../../lsp-server/completion/cursor_context';
import { buildPrompt, promptBudget } from '../../lsp-server/completion/prompt';
import type { FillOrder } from '../../lsp-server/models/fill_in_the_middle';
import { joinModel, readModelText, type LanguageModel } from '../../lsp-server/models/language_model';
import { openModelFolder } from '../../lsp-server/models/model_folder';
import { exactMatches, lineTasks, type LineTask } from '../eval/lines';
import { projectSources, pythonSources, type Source } from '../eval/sources';
import { addonFile, nanoFolder, root } from '../peers/project';

const orders: readonly FillOrder[] = ['suffix-prefix-middle', 'prefix-suffix-middle'];
const keystrokes = 20;

interface Typing {
  prefilled: number[];
  milliseconds: number[];
}

/** Types a stretch of a file letter by letter, and asks for one token after each. */
async function type(model: LanguageModel, source: Source): Promise<Typing> {
  const start = Math.floor(source.text.length / 2);
  const after = source.text.slice(start + keystrokes);
  const typing: Typing = { prefilled: [], milliseconds: [] };
  for (let typed = 0; typed <= keystrokes; typed += 1) {
    const identity = { uri: `file:///${source.path}`, path: source.path, languageId: source.languageId };
    const context = cursorContext(identity, source.text.slice(0, start + typed), after);
    const prompt = buildPrompt(model, context, promptBudget(model.engine.model.contextLength, 64));
    const { prefilled, timeToFirstToken } = await model.engine.generate(prompt, { maxTokens: 1, stopTokens: [] }).done;
    if (typed === 0) continue;
    typing.prefilled.push(prefilled);
    typing.milliseconds.push(timeToFirstToken);
  }
  return typing;
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { tasks: { type: 'string', default: '150' } } });
  const count = Number(values.tasks);
  const folder = await openModelFolder('', nanoFolder);
  const text = readModelText(folder);
  const options = { device: 'cpu', threads: 0, slots: 1, contextLength: 2048 } as const;
  const engine = await loadEngine(addonFile(), folder.path, options);
  const corpora = [projectSources(root, 30), pythonSources(30).sources];
  const tasksOf = (sources: readonly Source[]): LineTask[] =>
    sources.flatMap((source, index) => lineTasks(source, Math.ceil(count / sources.length), index + 1)).slice(0, count);
  console.log(`${count} lines each; ${engine.model.description}`);
  console.log('| order | TypeScript | Python | prefilled a keystroke, median / 95 % | first token, median / 95 % |');
  console.log('| --- | ---: | ---: | ---: | ---: |');
  for (const order of orders) {
    const { fill } = text;
    if (!fill) throw new Error(`${folder.name} cannot fill in the middle.`);
    const model = joinModel(folder, { ...text, fill: { ...fill, order } }, engine);
    const matches: string[] = [];
    for (const sources of corpora) {
      const right = (await exactMatches(model, tasksOf(sources))).filter(Boolean).length;
      matches.push(`${((100 * right) / count).toFixed(1)} %`);
    }
    const typing: Typing = { prefilled: [], milliseconds: [] };
    for (const source of corpora.flatMap((sources) => sources.slice(0, 1))) {
      const { prefilled, milliseconds } = await type(model, source);
      typing.prefilled.push(...prefilled);
      typing.milliseconds.push(...milliseconds);
    }
    const pair = (values: readonly number[]): string =>
      `${quantile(values, 0.5).toFixed(0)} / ${quantile(values, 0.95).toFixed(0)}`;
    console.log(`| ${order} | ${matches.join(' | ')} | ${pair(typing.prefilled)} | ${pair(typing.milliseconds)} ms |`);
  }
  await engine.dispose();
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
