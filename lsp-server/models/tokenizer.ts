import { Tokenizer as Library } from '@huggingface/tokenizers';
import { isObject, type JsonObject } from './json';
import { ModelFolderError, type ModelFolder } from './model_folder';
import { PieceCache } from './piece_cache';
import { textPieces } from './text_pieces';

/** Lines of code that repeat from keystroke to keystroke; about 200 bytes each. */
const cachedPieces = 20_000;

/**
 * Text to token ids and back, for one model. Encoding is incremental: pieces that an earlier call has seen cost a
 * look-up. Synchronous, so that a prompt is built from one snapshot of a document.
 */
export class Tokenizer {
  /** One more than the largest id. */
  readonly vocabularySize: number;
  /** Ids of the control tokens, which never are text. */
  readonly specialTokens: ReadonlySet<number>;
  /** Tokens that the model expects at the very start, such as `<s>`; mostly none. */
  readonly startTokens: readonly number[];
  private readonly pieces = new PieceCache<readonly number[]>(cachedPieces);
  private readonly specialText: RegExp | undefined;
  private readonly incremental: boolean;

  private constructor(
    private readonly library: Library,
    definition: JsonObject,
  ) {
    const added = [...library.get_added_tokens_decoder().values()];
    const special = added.filter((token) => token.special);
    this.specialTokens = new Set(special.map((token) => token.id));
    this.vocabularySize = [...library.get_vocab().values()].reduce((largest, id) => Math.max(largest, id), -1) + 1;
    this.specialText = anyOf(special.map((token) => token.content));
    this.incremental =
      added.every((token) => token.special || !/\s/.test(token.content)) && splitsByRegularExpression(definition);
    this.startTokens = startTokens(library);
  }

  /** Throws ModelFolderError when tokenizer.json is of a kind that cannot be read or does not fit the model. */
  static fromFolder(folder: ModelFolder): Tokenizer {
    let tokenizer: Tokenizer;
    try {
      const config = { ...folder.tokenizerConfig, clean_up_tokenization_spaces: false };
      tokenizer = new Tokenizer(new Library(folder.tokenizer, config), folder.tokenizer);
    } catch (error) {
      throw new ModelFolderError(
        'badFile',
        `${folder.path}: tokenizer.json cannot be used (${(error as Error).message}). Download it again.`,
      );
    }
    const size = folder.config['vocab_size'];
    if (typeof size === 'number' && tokenizer.vocabularySize > size) {
      throw new ModelFolderError(
        'vocabularyMismatch',
        `${folder.path}: tokenizer.json has ids up to ${tokenizer.vocabularySize - 1}, but config.json says vocab_size ${size}. The files belong to different models.`,
      );
    }
    return tokenizer;
  }

  /** Encodes what a person wrote. Names of control tokens in it are plain text: code cannot steer the prompt. */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const part of this.withoutSpecialText(text)) {
      for (const piece of this.incremental ? textPieces(part) : [part]) {
        for (const id of this.pieces.get(piece, this.encodePiece)) ids.push(id);
      }
    }
    return ids;
  }

  /** Encodes what the model's makers wrote, such as a chat template: names of control tokens become those tokens. */
  encodeTemplate(text: string): number[] {
    return [...this.library.encode(text, { add_special_tokens: false }).ids];
  }

  /** The text of tokens; control tokens give nothing, incomplete UTF-8 gives U+FFFD. */
  decode(tokens: readonly number[]): string {
    const text = tokens.filter((id) => !this.specialTokens.has(id));
    return text.length === 0 ? '' : this.library.decode(text, { skip_special_tokens: false });
  }

  /** The id of one whole token, such as `<|fim_middle|>`. */
  id(token: string): number | undefined {
    return this.library.token_to_id(token);
  }

  private readonly encodePiece = (piece: string): readonly number[] =>
    this.library.encode(piece, { add_special_tokens: false }).ids;

  private *withoutSpecialText(text: string): Generator<string> {
    let start = 0;
    if (this.specialText) {
      for (const match of text.matchAll(this.specialText)) {
        yield text.slice(start, match.index + 1);
        start = match.index + 1;
      }
    }
    yield text.slice(start);
  }
}

/** Whether `textPieces` may be used: byte-level BPE behind regular expressions, nothing that looks at the whole text. */
function splitsByRegularExpression(definition: JsonObject): boolean {
  const normalizer = definition['normalizer'];
  if (isObject(normalizer) && normalizer['type'] !== 'NFC') return false;
  const split = definition['pre_tokenizer'];
  if (!isObject(split)) return false;
  const steps: unknown[] =
    split['type'] === 'Sequence' && Array.isArray(split['pretokenizers']) ? split['pretokenizers'] : [split];
  return steps.every(
    (step) =>
      isObject(step) &&
      (step['type'] === 'Split' || step['type'] === 'Digits' || step['type'] === 'ByteLevel') &&
      step['add_prefix_space'] !== true,
  );
}

/** What the tokenizer puts before any text when it is asked to add what the model expects. */
function startTokens(library: Library): readonly number[] {
  const [first] = library.encode('a', { add_special_tokens: false }).ids;
  const { ids } = library.encode('a', { add_special_tokens: true });
  return ids.slice(
    0,
    Math.max(
      0,
      ids.findIndex((id) => id === first),
    ),
  );
}

function anyOf(texts: readonly string[]): RegExp | undefined {
  if (texts.length === 0) return undefined;
  const literal = texts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(literal.join('|'), 'g');
}
