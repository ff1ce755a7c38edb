import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { repeatedTail } from '../../lsp-server/completion/repetition';
import { stopRule } from '../../lsp-server/completion/stop';
import type { Extent } from '../../lsp-server/completion/policy';
import { at } from './cursor';

/** What is kept of a model's text that comes character by character, and how much of it had to be seen. */
function stream(marked: string, text: string, extent: Extent, language?: string): { kept: string; seen: number } {
  const rule = stopRule(at(marked, language), extent);
  for (let seen = 1; seen <= text.length; seen += 1) {
    const end = rule({ text: text.slice(0, seen), tokens: [], finished: false });
    if (end !== undefined) return { kept: text.slice(0, end), seen };
  }
  const end = rule({ text, tokens: [], finished: true });
  return { kept: text.slice(0, end ?? text.length), seen: text.length + 1 };
}

const blocks: [what: string, marked: string, text: string, kept: string, language?: string][] = [
  ['body and closer', 'function f() {|', '\n  a();\n}\n\nfunction g() {', '\n  a();\n}'],
  ['closer that is there is left out', 'function f() {|\n}\n', '\n  a();\n}\nb();', '\n  a();'],
  ['closer right of the cursor is written', 'function f() {|}', '\n  a();\n}\nb();', '\n  a();\n}'],
  ['closer right of the cursor, more below', 'foo(() => {|})\n  .bar();', '\n  a();\n})\nc', '\n  a();\n})'],
  ['body goes on below', 'function f() {|\n  b();\n}', '\n  a();\n}\nc();', '\n  a();'],
  [
    'blank line start',
    'function f() {\n  |\n}',
    'a();\n  if (b) {\n    c();\n  }\n}\nd();',
    'a();\n  if (b) {\n    c();\n  }',
  ],
  ['closer is missing', 'function f() {\n  |\n\nfunction g() {}', 'a();\n}\n\nx', 'a();\n}'],
  ['else belongs to it', 'if (a) {|', '\n  b();\n} else {\n  c();\n}\nd();', '\n  b();\n} else {\n  c();\n}'],
  [
    'nested closers',
    'describe(() => {|',
    '\n  it(() => {\n    a();\n  });\n});\n\nx',
    '\n  it(() => {\n    a();\n  });\n});',
  ],
  ['blank lines inside', 'class A {|', '\n  a = 1;\n\n  b = 2;\n}\nx', '\n  a = 1;\n\n  b = 2;\n}'],
  ['two blank lines end it', 'class A {|', '\n  a = 1;\n\n\n  b = 2;\n}', '\n  a = 1;'],
  ['python', 'def f(a):|', '\n    b = a\n    return b\n\n\ndef g():', '\n    b = a\n    return b', 'python'],
  ['python, dedent', 'def f(a):\n    |', 'return a\nx = 1\n', 'return a', 'python'],
  [
    'python, deeper',
    'class A:\n    |',
    'def f(self):\n        return 1\n\n    def g(self):\n        pass\nx',
    'def f(self):\n        return 1\n\n    def g(self):\n        pass',
    'python',
  ],
  [
    'statements until a blank line',
    '|',
    'const a = {\n  b: 1,\n};\nfoo(a);\n\nbar();',
    'const a = {\n  b: 1,\n};\nfoo(a);',
  ],
  ['one statement', '  a = |', '0;\n  a = 0;\n  a = 0;', '0;'],
  ['one statement over lines', '  foo(|\n  b();', 'a, {\n    c,\n  });\n  d();', 'a, {\n    c,\n  });'],
  ['one statement, python', 'self.path = |', '0\nself.path = 0', '0', 'python'],
  ['inside a block, asked by hand', '  a();\n  |\n}', 'b();\n  c();\n}\nd', 'b();\n  c();'],
];

suite('completion: where it ends', () => {
  for (const [what, marked, text, kept, language] of blocks) {
    test(what, () => {
      assert.equal(stream(marked, text, 'block', language).kept, kept);
    });
  }

  test('a line ends at the line end, without waiting for more', () => {
    assert.deepEqual(stream('a = |', 'b;\nc', 'line'), { kept: 'b;', seen: 3 });
    assert.deepEqual(stream('a = b;|', '\nc', 'line'), { kept: '', seen: 1 });
  });

  test('a block ends as soon as a line outside of it has begun', () => {
    const { seen } = stream('def f():|', '\n    a()\nbcd', 'block', 'python');
    assert.equal(seen, '\n    a()\nb'.length);
  });

  test('what the document goes on with is not written again', () => {
    const marked = 'function f() {\n  |\n  return total + 1;\n}';
    assert.equal(stream(marked, 'a();\n  return total + 1;\n  x', 'block').kept, 'a();');
    assert.equal(stream(marked, 'return total + 1;\n  x', 'block').kept, '');
  });

  test('the third same line in a row ends it', () => {
    assert.equal(stream('f() {|', '\n  a(b);\n  a(b);\n  a(b);\n  c();', 'block').kept, '\n  a(b);');
    const closers = '\n  a([\n    [\n      [b],\n    ],\n    ],\n    ],\n  ]);\n}';
    assert.equal(stream('f() {|', closers, 'block').kept, closers);
  });

  test('tokens that go round are noticed, ordinary ones are not', () => {
    const round = (period: number, times: number) => Array.from({ length: period * times }, (_, i) => i % period);
    assert.equal(repeatedTail([5, 6, ...round(1, 10)]), 9);
    assert.equal(repeatedTail(round(1, 9)), 0);
    assert.ok(repeatedTail([9, 9, ...round(3, 9)]) >= 21);
    assert.ok(repeatedTail(round(8, 5)) > 0);
    assert.ok(repeatedTail(round(20, 3)) > 0);
    assert.equal(repeatedTail(round(20, 2)), 0);
    assert.equal(repeatedTail(Array.from({ length: 200 }, (_, i) => (i * i) % 97)), 0);
  });

  test('text that goes round is dropped back to its last whole line', () => {
    const text = 'a();\n  b = 0, c = 0, c = 0, c = 0, c = 0, c = 0, c = 0, c = 0, c = 0,';
    const tokens = [1, 2, 3, 4, ...Array.from({ length: 40 }, (_, i) => 5 + (i % 4))];
    assert.equal(stopRule(at('f() {\n  |'), 'block')({ text, tokens, finished: false }), 'a();'.length);
    assert.equal(stopRule(at('f(|'), 'line')({ text: '0, a = 0, a = 0,', tokens, finished: false }), 0);
  });
});
