import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { EngineError } from '../../lsp-server/engine/contract';
import { probeAddon } from '../../lsp-server/engine/probe';
import { crashed, loadFailure } from '../../lsp-server/engine/probe_failure';
import { addon } from './engine_support';

const folder = mkdtempSync(path.join(os.tmpdir(), 'monokernel-probe-'));
after(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, content: string | Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

/** Compiles C into a shared library in the temporary folder. */
function compile(name: string, source: string, ...options: string[]): string {
  const file = path.join(folder, name);
  execFileSync('c++', ['-x', 'c', '-shared', '-fPIC', '-o', file, '-', '-x', 'none', ...options], { input: source });
  return file;
}

async function failure(promise: Promise<unknown>, code: string, part: RegExp): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert(error instanceof EngineError);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, part);
    return true;
  });
}

void test('probe: the real addon says what this machine can run', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const result = await probeAddon(addon);
  assert.equal(result.version, version);
  assert.equal(result.instructionSets.at(-1), 'portable');
  assert(Array.isArray(result.gpuDevices));
  const used = result.cpu.cores.filter((core) => core.used);
  assert.deepEqual(
    used.map(({ worker }) => worker).sort(),
    used.map((_, index) => index),
  );
});

void test('probe: fewer workers than cores are on so many of them', async () => {
  const { cpu } = await probeAddon(addon, 1);
  assert.deepEqual(
    cpu.cores.flatMap(({ worker }) => worker ?? []),
    [0],
  );
});

void test('probe: a missing addon names the file and the remedy', async () => {
  await failure(
    probeAddon(path.join(folder, 'none.node')),
    'addonMissing',
    /none\.node is missing.*Install the extension/,
  );
});

void test('probe: a file that is not a library', async () => {
  await failure(probeAddon(write('text.node', 'hello')), 'addonUnusable', /text\.node is not an addon that/);
});

void test('probe: an addon of another processor', async () => {
  const file = path.join(folder, 'foreign.node');
  copyFileSync(addon, file);
  const bytes = readFileSync(file);
  bytes.writeUInt16LE(bytes.readUInt16LE(18) === 0xb7 ? 0x3e : 0xb7, 18); // the ELF header's machine: aarch64 or x86-64
  writeFileSync(file, bytes);
  await failure(probeAddon(file), 'addonUnusable', /foreign\.node is not an addon that/);
});

void test('probe: a library that is no addon, and an addon that is not ours', async () => {
  await failure(probeAddon(compile('plain.node', 'int answer = 42;')), 'addonUnusable', /plain\.node/);
  await failure(probeAddon(write('other.js', 'module.exports = {};')), 'addonUnusable', /no probe function/);
});

void test('probe: a missing instruction is named', async () => {
  const file = compile('trap.node', '__attribute__((constructor)) static void start(void) { __builtin_trap(); }');
  await failure(probeAddon(file), 'addonCrashed', /SIGILL.*lacks an instruction/);
});

void test('probe: a crash is named with its last words', async () => {
  const source = `#include <signal.h>
    #include <stdio.h>
    __attribute__((constructor)) static void start(void) { fputs("driver said goodbye\\n", stderr); raise(SIGSEGV); }`;
  await failure(probeAddon(compile('crash.node', source)), 'addonCrashed', /SIGSEGV.*driver said goodbye/s);
});

void test('probe: an exit in the middle', async () => {
  await failure(probeAddon(write('exit.js', 'process.exit(3);')), 'addonCrashed', /exited with 3/);
});

void test('probe: a missing shared library is named', async () => {
  const library = compile('libneeded.so', 'int needed(void) { return 1; }');
  const file = compile('needs.node', 'int needed(void); int use(void) { return needed(); }', library);
  rmSync(library);
  await failure(probeAddon(file), 'addonLibraryMissing', /libneeded\.so/);
});

void test('probe: one that hangs is ended', async () => {
  const file = compile(
    'hang.node',
    '#include <unistd.h>\n__attribute__((constructor)) static void start(void) { for (;;) pause(); }',
  );
  const start = performance.now();
  await failure(probeAddon(file, 0, 700), 'addonTimeout', /no answer within 0\.7 s/);
  assert(performance.now() - start < 10_000);
});

void test('probe: what drivers print does not disturb the answer', async () => {
  const file = write('chatty.js', `console.log('{driver'); module.exports = { probe: () => ({ version: '7' }) };`);
  assert.equal((await probeAddon(file)).version, '7');
});

void test('probe: a C library that is too old, and how Windows crashes', () => {
  const said = "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by /x/monokernel.node)";
  const tooOld = loadFailure('/x/monokernel.node', said);
  assert.equal(tooOld.code, 'addonSystemTooOld');
  assert.match(tooOld.message, /needs GLIBC_2\.38/);
  assert.match(crashed('x', { status: 0xc000001d, signal: null, stderr: '' }).message, /SIGILL.*lacks an instruction/);
});
