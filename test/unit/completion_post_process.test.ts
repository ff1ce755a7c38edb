import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fitToDocument } from '../../lsp-server/completion/post_process';
import { at } from './cursor';

/** The document after the person accepts what is left of `generated`; undefined when nothing is offered. */
function accepted(marked: string, generated: string, whole = true): string | undefined {
  const context = at(marked);
  const completion = fitToDocument(generated, context, whole);
  if (!completion) return undefined;
  return (
    marked.slice(0, marked.indexOf('|')) +
    completion.text +
    marked.slice(marked.indexOf('|') + 1 + completion.swallowed)
  );
}

const cases: [what: string, marked: string, generated: string, expected: string | undefined][] = [
  ['plain', 'const a = |', 'b + 1;', 'const a = b + 1;'],
  ['auto-closed bracket is replaced', 'foo(|)', 'a, b)', 'foo(a, b)'],
  ['auto-closed bracket stays when it is not written', 'foo(|)', 'a, b', 'foo(a, b)'],
  ['inner brackets are not the outer one', 'foo(|)', 'bar(x)', 'foo(bar(x))'],
  ['bracket and semicolon', 'foo(|);', 'a);', 'foo(a);'],
  ['bracket written, semicolon there', 'foo(|);', 'a)', 'foo(a);'],
  ['semicolon written, only bracket there', 'foo(|)', 'a);', 'foo(a);'],
  ['two closers', 'foo([|])', '1, 2]);', 'foo([1, 2]);'],
  ['one of two closers', 'foo([|])', '1, 2]', 'foo([1, 2])'],
  ['quote', "import a from '|'", "./a';", "import a from './a';"],
  ['quote in brackets', 'foo("|")', 'abc")', 'foo("abc")'],
  ['bracket inside a string', 'foo("|")', 'a)b', 'foo("a)b")'],
  ['apostrophe inside a string', 'foo("|")', 'don\'t")', 'foo("don\'t")'],
  ['bracket inside a written string', 'foo(|)', '"a)b"', 'foo("a)b")'],
  ['bracket that an earlier line opened', 'foo(\n  bar(b)|);', '.c);', 'foo(\n  bar(b).c);'],
  ['template literal', 'const s = `a ${|}`;', 'x}`;', 'const s = `a ${x}`;'],
  ['closers with a space', 'import { |} from "a";', 'b }', 'import { b } from "a";'],
  ['space before the closer', 'const { | } = x;', 'a }', 'const { a } = x;'],
  ['block in braces', 'function f() {|}', '\n  return 1;\n}', 'function f() {\n  return 1;\n}'],
  ['arguments over lines', 'foo(|)', '\n  a,\n  b,\n)', 'foo(\n  a,\n  b,\n)'],
  ['object in a call', 'foo({|})', '\n  a: 1,\n});', 'foo({\n  a: 1,\n});'],
  ['only a semicolon right of it', 'return |;', 'a;', 'return a;'],
  ['whitespace only', 'a|', '  \n  ', undefined],
  ['nothing', 'a|', '', undefined],
  ['only what is there', 'foo(|)', ')', undefined],
  ['trailing white space', 'a = |', '1;  \n  ', 'a = 1;'],
  ['doubled space', 'const a = |', ' 1;', 'const a = 1;'],
  ['indentation is kept on a blank line', 'if (a) {\n|', '  b();', 'if (a) {\n  b();'],
  ['closing line below is not written twice', 'if (a) {|\n}\nx', '\n  b();\n}', 'if (a) {\n  b();\n}\nx'],
  ['another closing line is', 'if (a) {|\n  }\nx', '\n  b();\n}', 'if (a) {\n  b();\n}\n  }\nx'],
  ['several lines below', '  |\n  b();\n}', 'a();\n  b();\n}', '  a();\n  b();\n}'],
  ['the line below again', '  |\n  return total;\n', 'return total;', undefined],
  ['short lines may come twice', '  |\n  }', '}', '  }\n  }'],
  [
    'tabs as in the document',
    'function f() {\n\tif (a) {|\n\t}\n}',
    '\n        b();',
    'function f() {\n\tif (a) {\n\t\tb();\n\t}\n}',
  ],
  ['spaces as in the document', 'function f() {\n  a();|\n}', '\n\tb();', 'function f() {\n  a();\n  b();\n}'],
];

suite('completion: fitting generated text to the document', () => {
  for (const [what, marked, generated, expected] of cases) {
    test(what, () => {
      assert.equal(accepted(marked, generated), expected);
    });
  }

  test('a last line that the token limit cut is dropped, unless it is the only one', () => {
    assert.equal(accepted('f() {|', '\n  a();\n  b(c,', false), 'f() {\n  a();');
    assert.equal(accepted('x = |', 'foo(bar,', false), 'x = foo(bar,');
    assert.equal(accepted('f() {|', '\n  b(c,', false), 'f() {\n  b(c,');
  });

  test('line ends are those of the document', () => {
    const completion = fitToDocument('\n  a();\n}', at('x\r\nf() {|\r\n'), true);
    assert.equal(completion?.text, '\r\n  a();\r\n}');
  });
});
