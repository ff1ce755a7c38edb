import type { Tokenizer } from './tokenizer';

/**
 * Turns a stream of tokens into a stream of text. A character whose bytes are spread over several tokens appears when
 * it is whole; what is returned is never taken back.
 *
 * Decodes from a little before the new tokens, since a token's text may depend on its neighbours (the way of vLLM and
 * of Hugging Face's text streamer).
 */
export class Detokenizer {
  private tokens: number[] = [];
  /** Tokens before this are only context. */
  private shown = 0;

  constructor(private readonly tokenizer: Tokenizer) {}

  /** The text that has become certain. */
  push(tokens: readonly number[]): string {
    this.tokens.push(...tokens);
    const text = this.tokenizer.decode(this.tokens);
    return text.endsWith('\uFFFD') ? '' : this.take(text);
  }

  /** What is left at the end of the stream; an incomplete character stays away. */
  end(): string {
    return this.take(this.tokenizer.decode(this.tokens).replace(/\uFFFD+$/, ''));
  }

  private take(text: string): string {
    const known = this.tokenizer.decode(this.tokens.slice(0, this.shown));
    this.tokens = this.tokens.slice(this.shown);
    this.shown = this.tokens.length;
    return text.slice(known.length);
  }
}
