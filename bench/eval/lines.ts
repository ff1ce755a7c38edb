import { cursorContext, type CursorContext } from '../../lsp-server/completion/cursor_context';
import { buildPrompt, promptBudget } from '../../lsp-server/completion/prompt';
import { Detokenizer } from '../../lsp-server/models/detokenizer';
import { type LanguageModel } from '../../lsp-server/models/language_model';
import { Xorshift } from '../peers/models/random';
import { type Source } from './sources';

/** A line cut somewhere; the model is to write the rest. */
export interface LineTask {
  context: CursorContext;
  rest: string;
}

const maxTokens = 64;
const shortestRest = 3;

/** Columns of a line, between its second letter and the last few, where no word is cut: people pause there. */
function wordBorders(line: string): number[] {
  const indent = line.length - line.trimStart().length;
  const columns = Array.from(
    { length: Math.max(0, line.length - shortestRest - indent - 1) },
    (_, i) => indent + 2 + i,
  );
  return columns.filter((column) => !/^\w\w$/.test(line.slice(column - 1, column + 1)));
}

/** Up to `count` cursors inside lines of code, not in comments, with the rest of their line taken away. */
export function lineTasks(source: Source, count: number, seed: number): LineTask[] {
  const random = new Xorshift(seed);
  const lines = source.text.split('\n');
  const tasks: LineTask[] = [];
  for (let attempt = 0; attempt < 20 * count && tasks.length < count; attempt++) {
    const number = random.below(lines.length);
    const line = (lines[number] ?? '').trimEnd();
    const columns = wordBorders(line);
    const column = columns[random.below(columns.length)];
    if (column === undefined || /^\s*(#|\/\/|\/?\*|"""|''')/.test(line)) continue;
    const before = [...lines.slice(0, number), line.slice(0, column)].join('\n');
    const after = ['', ...lines.slice(number + 1)].join('\n');
    const identity = { uri: `file:///${source.path}`, path: source.path, languageId: source.languageId };
    tasks.push({ context: cursorContext(identity, before, after), rest: line.slice(column) });
  }
  return tasks;
}

/** What the model writes up to the end of the line, greedily, through the prompt that the language server builds. */
async function completeLine(model: LanguageModel, context: CursorContext): Promise<string> {
  const { engine, stopTokens, tokenizer } = model;
  const prompt = buildPrompt(model, context, promptBudget(engine.model.contextLength, maxTokens));
  const generation = engine.generate(prompt, { maxTokens, stopTokens, temperature: 0 });
  const detokenizer = new Detokenizer(tokenizer);
  let text = '';
  for await (const batch of generation) {
    text += detokenizer.push(batch.map(({ token }) => token));
    if (text.includes('\n')) generation.cancel();
  }
  await generation.done;
  return (text + detokenizer.end()).split('\n', 1)[0] ?? '';
}

/** For each task whether the completed line is the file's, white space at its end aside. */
export async function exactMatches(model: LanguageModel, tasks: readonly LineTask[]): Promise<boolean[]> {
  const matches: boolean[] = [];
  for (const { context, rest } of tasks) matches.push((await completeLine(model, context)).trimEnd() === rest);
  return matches;
}
