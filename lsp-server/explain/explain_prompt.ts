import type { LanguageModel } from '../models/language_model';
import type { Selection } from './explanation';

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
  const before = tokenizer.encode(`Explain this ${language === '' ? '' : `${language} `}code:\n\`\`\`${tag}\n`);
  const after = tokenizer.encode('\n```');
  const room = engine.model.contextLength - maxTokens - chat.overhead - before.length - after.length;
  if (room < 16) {
    throw new ExplainError(
      `${name} has room for ${engine.model.contextLength} tokens only. Lower monokernel.explain.maxTokens.`,
    );
  }
  const encoded = encodeWithin(code, room, (text) => tokenizer.encode(text));
  return chat.prompt([...before, ...encoded, ...after]);
}

/** The encoding of as many whole lines as fit. */
function encodeWithin(code: string, room: number, encode: (text: string) => number[]): number[] {
  const bounded = code.slice(0, room * 8);
  const tokens = encode(bounded);
  if (tokens.length <= room) return tokens;
  const lines = bounded.split('\n');
  let fits = 0;
  for (let used = 0; fits < lines.length; fits += 1) {
    used += encode(`${lines[fits] ?? ''}\n`).length;
    if (used > room) break;
  }
  return encode(lines.slice(0, fits).join('\n')).slice(0, room);
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
