/**
 * Cuts a text into pieces that a byte-level BPE tokenizer encodes independently: the encodings of the pieces, one
 * after another, are the encoding of the whole. A keystroke then only encodes the piece it is in.
 *
 * The pre-tokenisers of GPT-2, StarCoder, cl100k, Llama 3, Qwen, DeepSeek and o200k are regular expressions without
 * lookbehind over disjoint alternatives. In every one of them a word starts
 *  - at the last space or tab of an indentation that a Latin letter follows (the letters swallow that one character,
 *    or it stands alone, but the blanks before it always end there), and
 *  - at a Latin letter after a line end that itself follows something other than white space,
 * and what stands before either place is split the same whether or not the text goes on.
 * Tokenizers of other kinds must not be cut: see `Tokenizer`.
 */
export function* textPieces(text: string): Generator<string> {
  let start = 0;
  for (const match of text.matchAll(wordStart)) {
    if (match.index === 0) continue;
    yield text.slice(start, match.index);
    start = match.index;
  }
  if (start < text.length) yield text.slice(start);
}

const wordStart = /[ \t](?=[A-Za-z])(?<=\n[ \t]+)|(?<=\S\n)(?=[A-Za-z])/g;
