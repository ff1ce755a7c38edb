/**
 * The one test command. Usage: node test/run.mjs [stage ...]   (no stage: all of them, in order; --list names them)
 * Ends with "N passed, N failed" over all runners, and exit code 1 if anything failed.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { prepare } from './prepare.mjs';

const root = path.resolve(import.meta.dirname, '..');
const out = path.join(root, 'out');

/** Runs a command in the repository's root, shows what it prints, and gives its status and its output. */
function run(command, args, environment = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        text += chunk;
        process.stdout.write(chunk);
      });
    }
    child.on('error', (error) => resolve({ ok: false, text: `${command}: ${error.message}` }));
    child.on('close', (status) => resolve({ ok: status === 0, text }));
  });
}

/** A stage that is one command: one pass or one failure. */
const command =
  (program, ...args) =>
  async () => {
    const { ok } = await run(program, args);
    return { passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
  };

const npm = (script) => command('npm', 'run', '--silent', script);

/** A stage that is a runner of its own, which ends with "N passed, N failed" (one such line a run). */
const runner = (script) => async () => {
  const { ok, text } = await run('npm', ['run', '--silent', script]);
  const counts = [...text.matchAll(/^(\d+) passed, (\d+) failed/gm)];
  const passed = counts.reduce((sum, count) => sum + Number(count[1]), 0);
  const failed = counts.reduce((sum, count) => sum + Number(count[2]), 0);
  return { passed, failed: failed || (ok && passed > 0 ? 0 : 1) };
};

/** Builds the native tests (optionally with sanitizers) and runs ctest over them. */
const ctest =
  (sanitizers, ...selection) =>
  async () => {
    const folder = path.join(root, 'native', sanitizers ? `build-${sanitizers.replace(',', '-')}` : 'build');
    const build = await run('node', [
      'native/build.mjs',
      '--tests',
      ...(sanitizers ? [`--sanitize=${sanitizers}`] : []),
    ]);
    if (!build.ok) return { passed: 0, failed: 1 };
    const { ok, text } = await run('ctest', [
      '--test-dir',
      folder,
      '--output-on-failure',
      ...['--parallel', '2'], // tests whose threads want both cores say so (PROCESSORS)
      '--timeout',
      '900',
      ...selection,
    ]);
    const summary = /(\d+) tests failed out of (\d+)/.exec(text);
    if (!summary || Number(summary[2]) === 0) return { passed: 0, failed: 1 };
    const failed = Number(summary[1]);
    return { passed: Number(summary[2]) - failed, failed: failed || (ok ? 0 : 1) };
  };

/** Bundles a folder's TypeScript tests and runs them with Node's own runner. */
const nodeTests = (folder) => async () => {
  if (!existsSync(path.join(root, 'dist', 'server.js'))) {
    console.error('dist/ is missing. Run "npm run build" first.');
    return { passed: 0, failed: 1 };
  }
  const sources = readdirSync(path.join(root, 'test', folder), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => path.join(root, 'test', folder, name));
  const outdir = path.join(out, 'test', folder);
  rmSync(outdir, { recursive: true, force: true });
  await esbuild.build({
    entryPoints: sources,
    outdir,
    outbase: path.join(root, 'test', folder),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    sourcemap: 'inline',
    external: ['*.node'],
  });
  const files = readdirSync(outdir, { recursive: true })
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => path.join(outdir, name));
  const tap = path.join(out, `${folder}.tap`);
  const reporters = ['spec', 'stdout', 'tap', tap].map((value, index) =>
    index % 2 === 0 ? `--test-reporter=${value}` : `--test-reporter-destination=${value}`,
  );
  const { ok } = await run('node', ['--enable-source-maps', '--test', ...reporters, ...files]);
  const count = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(readFileSync(tap, 'utf8'))?.[1] ?? 0);
  const passed = count('pass');
  const failed = count('fail') + count('cancelled');
  return { passed, failed: failed || (ok && passed > 0 ? 0 : 1) };
};

const stages = {
  build: npm('build'),
  // Those that ship, and the GPU bench's own.
  kernels: command('node', 'bench/gpu/run.mjs', 'kernels'),
  typecheck: npm('typecheck'),
  lint: npm('lint'),
  native: ctest(''),
  // The slow tests under a sanitizer look for wrong numbers, not for wrong accesses or races.
  asan: ctest(
    'address,undefined',
    '--tests-regex',
    '^(model|plan|topology|engine|binding|gpu_(packing|shared_memory|page_calibration)|cpu_(attention|draft|golden|kv_cache|load|prompt|request|sampling|topology|worker))',
  ),
  // Drafts are columns of a step, which races no more than a prompt's; cpu_draft_limits takes over three minutes here.
  tsan: ctest('thread', '--tests-regex', '^(binding|engine|cpu_(worker|load|request|sampling))'),
  unit: nodeTests('unit'),
  lsp: nodeTests('lsp'),
  vscode: runner('test:vscode'),
  ui: runner('test:ui'),
};

const asked = process.argv.slice(2);
if (asked.includes('--list')) {
  console.log(Object.keys(stages).join('\n'));
  process.exit(0);
}
const unknown = asked.filter((name) => !(name in stages));
if (unknown.length > 0) {
  console.error(`No stage ${unknown.join(', ')}. Stages: ${Object.keys(stages).join(', ')}.`);
  process.exit(2);
}

if (asked.length === 0) prepare();
mkdirSync(out, { recursive: true });
const report = [];
for (const name of asked.length > 0 ? asked : Object.keys(stages)) {
  console.log(`\n== ${name}`);
  const start = performance.now();
  const result = await stages[name]().catch((error) => {
    console.error(error);
    return { passed: 0, failed: 1 };
  });
  report.push({ name, seconds: (performance.now() - start) / 1000, ...result });
}

console.log('');
for (const { name, seconds, passed, failed } of report) {
  console.log(
    `${name.padEnd(10)} ${String(passed).padStart(4)} passed ${String(failed).padStart(4)} failed ${seconds.toFixed(0).padStart(6)} s`,
  );
}
const total = (key) => report.reduce((sum, stage) => sum + stage[key], 0);
console.log(`${total('passed')} passed, ${total('failed')} failed`);
process.exitCode = total('failed') === 0 ? 0 : 1;
