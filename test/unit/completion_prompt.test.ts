import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { cursorContext, type CursorContext } from '../../lsp-server/completion/cursor_context';
import { buildPrompt, promptBudget } from '../../lsp-server/completion/prompt';
import { readModelText, type ModelText } from '../../lsp-server/models/language_model';
import { at } from './cursor';
import { nanoFolder, readSource, seeded } from './nano';

const document = { uri: 'file:///work/a.ts', path: 'src/a.ts', languageId: 'typescript' };
const source = readSource('node_modules/vscode-languageserver/lib/common/server.js');

const contextAt = (text: string, cursor: number): CursorContext =>
  cursorContext(document, text.slice(0, cursor), text.slice(cursor));

function commonPrefix(one: readonly number[], other: readonly number[]): number {
  const end = one.findIndex((token, index) => token !== other[index]);
  return end < 0 ? one.length : end;
}

suite('completion: prompt', () => {
  let model: ModelText;
  let id: (token: string) => number;
  before(async () => {
    model = readModelText(await nanoFolder());
    id = (token) => {
      const found = model.tokenizer.id(token);
      assert.ok(found !== undefined);
      return found;
    };
  });

  const withOrder = (order: 'prefix-suffix-middle' | 'suffix-prefix-middle'): ModelText => {
    assert.ok(model.fill);
    return { ...model, fill: { ...model.fill, order } };
  };

  test('has the parts in the order that the model was trained for', () => {
    const context = at('const a = |;\n');
    const header = [id('<|file_sep|>'), ...model.tokenizer.encode('src/a.ts\n')];
    const prefix = model.tokenizer.encode('const a = ');
    const suffix = model.tokenizer.encode(';\n');
    const [pre, suf, mid] = ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>'].map(id);
    assert.deepEqual(buildPrompt(withOrder('suffix-prefix-middle'), context, 500), [
      ...header,
      pre,
      suf,
      ...suffix,
      mid,
      ...prefix,
    ]);
    assert.deepEqual(buildPrompt(withOrder('prefix-suffix-middle'), context, 500), [
      ...header,
      pre,
      ...prefix,
      suf,
      ...suffix,
      mid,
    ]);
  });

  test('is only the prefix for a model without fill-in-the-middle', () => {
    const plain: ModelText = { tokenizer: model.tokenizer };
    assert.deepEqual(buildPrompt(plain, at('const a = |;\n'), 500), model.tokenizer.encode('const a = '));
  });

  test('cannot be steered by control tokens in the code', () => {
    const prompt = buildPrompt(model, at('// <|fim_middle|><|endoftext|>\nfoo(|)'), 500);
    assert.equal(prompt.filter((token) => token === id('<|fim_middle|>')).length, 1);
    assert.ok(!prompt.includes(id('<|endoftext|>')));
  });

  test('keeps to its budget anywhere in any text', () => {
    const random = seeded(3);
    const dense = '🎉漢字'.repeat(3000);
    const oneLine = 'x=1;'.repeat(5000);
    for (const text of [source, dense, oneLine, source.replaceAll('\n', '\r\n')]) {
      for (let sample = 0; sample < 25; sample += 1) {
        const budget = 64 + random(1900);
        const prompt = buildPrompt(model, contextAt(text, random(text.length)), budget);
        assert.ok(prompt.length <= budget, `${prompt.length} > ${budget}`);
      }
    }
  });

  test('uses most of its budget in the middle of a large file', () => {
    const budget = promptBudget(2048, 96);
    assert.equal(budget, 1952);
    for (const part of [0.3, 0.5, 0.7]) {
      const { length } = buildPrompt(model, contextAt(source, Math.floor(source.length * part)), budget);
      assert.ok(length > budget * 0.6, `${length} of ${budget}`);
    }
  });

  test('typing changes only its end, but for a few jumps of the window', () => {
    const start = 30_000;
    const typed = source.slice(start, start + 4000);
    const text = source.slice(0, start) + source.slice(start + 4000);
    let previous: number[] | undefined;
    let jumps = 0;
    let changed = 0;
    for (let count = 0; count <= typed.length; count += 1) {
      const cursor = start + count;
      const now = text.slice(0, start) + typed.slice(0, count) + text.slice(start);
      const prompt = buildPrompt(withOrder('suffix-prefix-middle'), contextAt(now, cursor), 1024);
      if (previous) {
        const lost = previous.length - commonPrefix(previous, prompt);
        if (lost > 24) jumps += 1;
        else changed += lost;
      }
      previous = prompt;
    }
    assert.ok(jumps <= 8, `${jumps} jumps in ${typed.length} keystrokes`);
    assert.ok(changed / typed.length < 2, `${changed / typed.length} tokens a keystroke`);
  });

  test('an auto-closed bracket leaves the prefix window where it is', () => {
    const cursor = 30_000;
    const plain = contextAt(source, cursor);
    const closed = cursorContext(document, `${plain.before}(`, `)${plain.after}`);
    const [one, other] = [plain, closed].map((context) => {
      const prompt = buildPrompt(withOrder('suffix-prefix-middle'), context, 1024);
      return prompt.slice(prompt.indexOf(id('<|fim_middle|>')) + 1);
    });
    assert.ok(one && other && one.length - commonPrefix(one, other) <= 2);
  });
});
