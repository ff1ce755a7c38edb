import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { completionExtent, type Extent, type Trigger } from '../../lsp-server/completion/policy';
import { defaultSettings } from '../../lsp-server/settings';
import type { Settings } from '../../lsp-server/protocol';
import { at } from './cursor';

const extent = (
  marked: string,
  trigger: Trigger = 'automatic',
  settings: Partial<Settings> = {},
  language = 'typescript',
) => completionExtent(at(marked, language), { ...defaultSettings, ...settings }, trigger);

const automatic: [marked: string, expected: Extent | undefined, language?: string][] = [
  ['const a = |', 'line'],
  ['foo(|)', 'line'],
  ['foo(|);', 'line'],
  ['foo("|")', 'line'],
  ['a = { b: | },', 'line'],
  ['const | = 1', undefined],
  ['foo(|bar)', undefined],
  ['a();|', undefined],
  ['for (let i = 0;|', 'line'],
  ['function f() {|', 'block'],
  ['function f() {|}', 'block'],
  ['function f() {\n  |\n}', 'block'],
  ['a();\n  |', 'line'],
  ['foo(\n  |\n)', 'block'],
  ['const f = () =>\n  |', 'block'],
  ['const s = `${|}`', 'line'],
  ['import {|}', 'line'],
  ['import type { |}', 'line'],
  ['export interface A {|}', 'block'],
  ['switch (a) {\n  case 1:|', 'block'],
  ['const a: |', 'line'],
  ['def f(a):|', 'block', 'python'],
  ['def f(a):\n    |', 'block', 'python'],
  ['x = |', 'line', 'python'],
];

suite('completion: when, and how far', () => {
  for (const [marked, expected, language] of automatic) {
    test(`${JSON.stringify(marked)} gives ${expected ?? 'nothing'}`, () => {
      assert.equal(extent(marked, 'automatic', {}, language), expected);
    });
  }

  test('asked by the person: a block, or the rest of the line where text follows', () => {
    assert.equal(extent('a();\n|', 'invoked'), 'block');
    assert.equal(extent('a();|', 'invoked'), 'block');
    assert.equal(extent('foo(|bar)', 'invoked'), 'line');
  });

  test('the mode overrules where blocks start', () => {
    const mode = (value: Settings['completion']['mode']) => ({
      completion: { ...defaultSettings.completion, mode: value },
    });
    assert.equal(extent('f() {|', 'automatic', mode('line')), 'line');
    assert.equal(extent('const a = |', 'automatic', mode('block')), 'block');
  });

  test('off for all, for a language, and for the rest', () => {
    assert.equal(extent('a = |', 'automatic', { enable: false }), undefined);
    assert.equal(extent('a = |', 'invoked', { languages: { '*': true, typescript: false } }), undefined);
    assert.equal(extent('a = |', 'automatic', { languages: { '*': false, typescript: true } }), 'line');
    assert.equal(extent('a = |', 'automatic', { languages: { '*': false } }), undefined);
  });
});
