import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, suite, test } from 'node:test';
import { Detokenizer } from '../../lsp-server/models/detokenizer';
import type { JsonObject } from '../../lsp-server/models/json';
import type { ModelFolder } from '../../lsp-server/models/model_folder';
import { textPieces } from '../../lsp-server/models/text_pieces';
import { Tokenizer } from '../../lsp-server/models/tokenizer';
import { nanoFolder, readSource, seeded, sourceFiles } from './nano';

/** Pre-tokenisers of the families that `textPieces` promises to fit. */
const preTokenizers: Record<string, JsonObject> = {
  gpt2: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  starcoder: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Digits', individual_digits: true },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    ],
  },
  llama3: regular(
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  ),
  o200k: regular(
    '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
  ),
  deepseek: {
    type: 'Sequence',
    pretokenizers: [
      split('[\\r\\n]'),
      split('\\s?[A-Za-zµÀ-ÖØ-öø-ƺ]+'),
      split('\\s?[!-/:-~！-／：-～‘-‟　-。]+'),
      split('\\s+$'),
      split('[一-龥ࠀ-一가-퟿]+'),
      { type: 'Digits', individual_digits: true },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  },
};

function split(pattern: string): JsonObject {
  return { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false };
}

function regular(pattern: string): JsonObject {
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  return { type: 'Sequence', pretokenizers: [split(pattern), bytes] };
}

function withPreTokenizer(folder: ModelFolder, preTokenizer: JsonObject): Tokenizer {
  return Tokenizer.fromFolder({ ...folder, tokenizer: { ...folder.tokenizer, pre_tokenizer: preTokenizer } });
}

/** Text that pre-tokenisers trip over. */
const nasty = [
  '\n',
  '\n\n',
  '\r\n',
  '\t',
  ' ',
  '    ',
  '\n  \n',
  '//',
  '}',
  'é',
  '漢字',
  '🎉',
  "it's",
  '_a',
  '1',
  ';\n/',
  '\u00a0',
];

suite('tokenizer', () => {
  let folder: ModelFolder;
  let tokenizer: Tokenizer;
  before(async () => {
    folder = await nanoFolder();
    tokenizer = Tokenizer.fromFolder(folder);
  });

  test('agrees with the golden encodings and gives the text back', () => {
    const golden = JSON.parse(readFileSync('test/golden/tokenizer.golden.json', 'utf8')) as {
      text: string;
      ids: number[];
    }[];
    assert.ok(golden.length >= 10);
    for (const { text, ids } of golden) {
      assert.deepEqual(tokenizer.encodeTemplate(text), ids, text);
      if (ids.every((id) => !tokenizer.specialTokens.has(id))) {
        assert.deepEqual(tokenizer.encode(text), ids, text);
        assert.equal(tokenizer.decode(ids), text);
      }
    }
  });

  test('knows the control tokens and never makes them of text', () => {
    const middle = tokenizer.id('<|fim_middle|>');
    assert.ok(middle !== undefined && tokenizer.specialTokens.has(middle));
    const text = 'const stop = "<|fim_middle|><|endoftext|>";';
    const ids = tokenizer.encode(text);
    assert.ok(ids.every((id) => !tokenizer.specialTokens.has(id)));
    assert.equal(tokenizer.decode(ids), text);
    assert.equal(tokenizer.decode([middle, ...tokenizer.encode('x'), 0]), 'x');
  });

  for (const file of sourceFiles) {
    test(`incremental encoding is the whole encoding under random edits: ${file}`, () => {
      const random = seeded(file.length);
      let text = readSource(file).slice(0, 12_000);
      for (let edit = 0; edit < 40; edit += 1) {
        const at = random(text.length);
        const insert = random(3) === 0 ? text.slice(at, at + random(30)) : (nasty[random(nasty.length)] ?? '');
        text = text.slice(0, at) + insert + text.slice(Math.min(text.length, at + random(20)));
        const cut = random(text.length);
        for (const part of [text, text.slice(0, cut), text.slice(cut)]) {
          assert.deepEqual(tokenizer.encode(part), tokenizer.encodeTemplate(part), `edit ${edit} at ${at}`);
        }
      }
    });
  }

  for (const [family, preTokenizer] of Object.entries(preTokenizers)) {
    test(`pieces encode like the whole with the pre-tokeniser of ${family}`, () => {
      const other = withPreTokenizer(folder, preTokenizer);
      const random = seeded(7);
      let pieces = 0;
      for (const file of sourceFiles) {
        const source = readSource(file);
        for (let sample = 0; sample < 6; sample += 1) {
          const start = random(source.length);
          const text = source.slice(start, start + 2000).replace(/\n/g, () => nasty[random(60)] ?? '\n');
          assert.deepEqual(other.encode(text), other.encodeTemplate(text), `${file} at ${start}`);
          pieces += [...textPieces(text)].length;
        }
      }
      assert.ok(pieces > 500, `only ${pieces} pieces`);
    });
  }

  test('does not cut for a tokenizer that looks at the whole text', () => {
    const definition = {
      version: '1.0',
      added_tokens: [],
      normalizer: { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, replaceSpace] },
      pre_tokenizer: split('[0-9]'),
      post_processor: null,
      decoder: null,
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(['▁', '\n', 'a', 'b', '▁a', '\na', 'a\n'].map((token, id) => [token, id])),
        merges: ['▁ a', '\n a', 'a \n'],
        unk_token: null,
      },
    };
    const config = { ...folder.config, vocab_size: 7 };
    const other = Tokenizer.fromFolder({ ...folder, config, tokenizer: definition });
    const text = 'a\na\n ab\na';
    assert.ok([...textPieces(text)].length > 1);
    assert.deepEqual(other.encode(text), other.encodeTemplate(text));
  });

  test('streams characters whole, however their bytes are split over tokens', () => {
    const text = 'naïve — 漢字 🎉👩‍👩‍👧 ok\n\tdone ✓';
    const ids = tokenizer.encode(text);
    for (const size of [1, 2, 3, 7]) {
      const stream = new Detokenizer(tokenizer);
      let shown = '';
      for (let at = 0; at < ids.length; at += size) {
        shown += stream.push(ids.slice(at, at + size));
        assert.ok(text.startsWith(shown), JSON.stringify(shown));
      }
      assert.equal(shown + stream.end(), text);
    }
  });

  test('drops an incomplete character at the end', () => {
    const ids = tokenizer.encode('a🎉');
    const stream = new Detokenizer(tokenizer);
    const shown = stream.push(ids.slice(0, -1)) + stream.end();
    assert.equal(shown, 'a');
  });
});

const replaceSpace = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
