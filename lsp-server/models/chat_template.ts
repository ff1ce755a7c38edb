import { Template } from '@huggingface/jinja';
import type { ModelFolder } from './model_folder';
import type { Tokenizer } from './tokenizer';

/** Stands for the message while the template is rendered: private-use characters that no template touches. */
const placeholder = '\uE000\uE001message\uE001\uE000';

/** A model's own chat template, for one user message that the assistant answers. */
export class ChatTemplate {
  private constructor(
    private readonly before: readonly number[],
    private readonly after: readonly number[],
  ) {}

  /**
   * Renders the model's Jinja template once; undefined for a model that has none. Throws when the template cannot be
   * rendered or drops the message.
   */
  static fromFolder(folder: ModelFolder, tokenizer: Tokenizer): ChatTemplate | undefined {
    if (folder.chatTemplate === undefined) return undefined;
    const rendered = new Template(folder.chatTemplate).render({
      messages: [{ role: 'user', content: placeholder }],
      add_generation_prompt: true,
      bos_token: tokenText(folder, 'bos_token'),
      eos_token: tokenText(folder, 'eos_token'),
    });
    const [before, after] = rendered.split(placeholder);
    if (before === undefined || after === undefined) {
      throw new Error(`The chat template of ${folder.name} does not show the user's message.`);
    }
    return new ChatTemplate(tokenizer.encodeTemplate(before), tokenizer.encodeTemplate(after));
  }

  /** Tokens of the template around a message. */
  get overhead(): number {
    return this.before.length + this.after.length;
  }

  /** The prompt for an encoded message. */
  prompt(message: readonly number[]): number[] {
    return [...this.before, ...message, ...this.after];
  }
}

function tokenText(folder: ModelFolder, key: string): string {
  const token = folder.tokenizerConfig[key];
  if (typeof token === 'string') return token;
  const content = token !== null && typeof token === 'object' ? (token as { content?: unknown }).content : undefined;
  return typeof content === 'string' ? content : '';
}
