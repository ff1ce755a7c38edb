import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { root } from '../unit/nano';

const program = path.join(root, 'dist/complete.js');

const run = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
};

suite('npm run complete', () => {
  let folder: string;
  let file: string;
  before(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'monokernel-complete-'));
    file = path.join(folder, 'add.py');
    writeFileSync(file, 'def add(a, b):\n    return a\n\n\nprint(add(1, 2))\n');
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  test('prints the ghost text in its line, and figures', () => {
    const { status, stdout, stderr } = run(`${file}:2:12`, '--engine', 'cpu');
    assert.equal(stderr, '');
    assert.equal(status, 0);
    assert.match(stdout, /^ {4}return ⟦[^⟧]+⟧\n/);
    assert.match(stdout, /laneformer-nano, cpu: /);
    assert.match(stdout, /prompt \d+ tokens, first token after \d+ ms/);
  });

  test('runs the weights as int8 when asked to', () => {
    const { status, stdout } = run(`${file}:2:12`, '--engine', 'cpu', '--precision', 'int8');
    assert.equal(status, 0);
    assert.match(stdout, /laneformer-nano, cpu: .*, int8 weights/);
  });

  test('prints JSON, the same each time', () => {
    const [one, other] = [1, 2].map((threads) => {
      const { stdout } = run(`${file}:2:12`, '--json', '--engine', 'cpu', '--threads', String(threads));
      return JSON.parse(stdout) as { text: string; linePrefix: string; statistics: { generated: number } };
    });
    assert.ok(one && other && one.statistics.generated > 0);
    assert.equal(one.linePrefix, '    return ');
    assert.equal(one.text, other.text);
  });

  const mistakes: [args: () => string[], status: number, message: RegExp][] = [
    [() => [], 2, /Give one place to complete.*Usage/s],
    [() => ['add.py'], 2, /"add\.py" is not a place/],
    [() => ['/nowhere.py:1'], 2, /\/nowhere\.py cannot be read/],
    [() => [`${file}:77`], 2, /has 6 lines, so there is no line 77/],
    [() => [`${file}:2:99`], 2, /columns 1 to 13, so there is no 99/],
    [() => [`${file}:1`, '--engine', 'tpu'], 2, /no engine "tpu"/],
    [() => [`${file}:1`, '--precision', 'int4'], 2, /no precision "int4"/],
    [() => [`${file}:1`, '--speculation', 'on'], 2, /no speculation "on"/],
    [() => [`${file}:1`, '--nonsense'], 2, /Unknown option/],
    [() => [`${file}:1`, '--model', folder], 1, /has no config\.json/],
  ];
  for (const [args, status, message] of mistakes) {
    test(`says what is wrong: ${message.source}`, () => {
      const result = run(...args());
      assert.equal(result.status, status);
      assert.match(result.stderr, message);
      assert.equal(result.stdout, '');
    });
  }
});
