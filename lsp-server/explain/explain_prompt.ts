import type { LanguageModel } from '../models/language_model';

/** What to explain. */
export interface Selection {
  code: string;
  languageId: string;
}

/** Why a selection cannot be explained, for the person. */
export class ExplainError extends Error {
  override readonly name = 'ExplainError';
}

/** Names that people use and tags that Markdown knows; other languages go by their ids. */
const languages: Readonly<Record<string, readonly [name: string, tag: string]>> = {
  typescript: ['TypeScript', 'ts'],
  typescriptreact: ['TypeScript', 'tsx'],
  javascript: ['JavaScript', 'js'],
  javascriptreact: ['JavaScript', 'jsx'],
  python: ['Python', 'py'],
  cpp: ['C++', 'cpp'],
  csharp: ['C#', 'cs'],
  plaintext: ['', ''],
};

/** The model's chat prompt that asks for an explanation; a selection that is too long loses its last lines. */
export function explainPrompt(
  { tokenizer, chat, engine, name }: Pick<LanguageModel, 'tokenizer' | 'chat' | 'engine' | 'name'>,
  selection: Selection,
  maxTokens: number,
): number[] {
  if (!chat) throw new ExplainError(`${name} has no chat template, so it cannot explain code. Choose another model.`);
  const code = dedent(selection.code);
  if (code === '') throw new ExplainError('The selection is empty. Select the code to explain.');
  const [language, tag] = languages[selection.languageId] ?? [capitalised(selection.languageId), selection.languageId];
  const message = (lines: readonly string[]): number[] => {
    const what = language === '' ? 'code' : `${language} code`;
    return tokenizer.encode(`Explain this ${what}:\n\`\`\`${tag}\n${lines.join('\n')}\n\`\`\``);
  };
  const room = engine.model.contextLength - maxTokens - chat.overhead;
  const fits = longestFit(code.slice(0, Math.max(0, room) * 8).split('\n'), (lines) => message(lines).length <= room);
  if (fits === undefined) {
    throw new ExplainError(
      `${name} has room for ${engine.model.contextLength} tokens, too few for this selection and its explanation. Select less, or lower monokernel.explain.maxTokens.`,
    );
  }
  return chat.prompt(message(fits));
}

/** As many of the first lines as fit, at least one; undefined if not even that does. */
function longestFit(lines: readonly string[], fits: (lines: readonly string[]) => boolean): string[] | undefined {
  let few = 0;
  let many = lines.length;
  if (fits(lines)) return [...lines];
  while (many - few > 1) {
    const middle = (few + many) >> 1;
    if (fits(lines.slice(0, middle))) few = middle;
    else many = middle;
  }
  return few === 0 ? undefined : lines.slice(0, few);
}

/** Without the indentation that all lines share, and without blank lines around. */
function dedent(code: string): string {
  const lines = code
    .replaceAll('\r\n', '\n')
    .replace(/^(\s*\n)+/, '')
    .trimEnd()
    .split('\n');
  const widths = lines.filter((line) => line.trim() !== '').map((line) => line.search(/\S/));
  const shared = widths.length === 0 ? 0 : Math.min(...widths);
  return lines.map((line) => line.slice(shared)).join('\n');
}

const capitalised = (id: string): string => id.charAt(0).toUpperCase() + id.slice(1);
