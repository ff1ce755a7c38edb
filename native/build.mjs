/**
 * Builds the native addon into native/prebuilds/<platform>-<arch>/monokernel.node.
 * Usage: node native/build.mjs [--tests] [--sanitize=address,undefined | --sanitize=thread] [--jobs=N]
 *   --tests     the native tests too (ctest --test-dir native/build)
 *   --sanitize  into native/build-<sanitizers> instead; what is in prebuilds stays
 * Needs CMake and a C++20 compiler; Ninja is used where it is there. Run on Linux only so far.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const source = import.meta.dirname;
const root = path.dirname(source);
const require = createRequire(import.meta.url);

class BuildError extends Error {}

const succeeds = (program, ...args) => spawnSync(program, args, { stdio: 'ignore' }).status === 0;

function run(program, ...args) {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit' });
  if (error) throw new BuildError(`${program}: ${error.message}`);
  if (status !== 0) throw new BuildError(`"${program} ${args.join(' ')}" failed; its messages are above.`);
}

/** CMake, something for it to drive and a compiler that knows C++20, or an error that says what to install. */
function checkTools() {
  const unix = process.platform !== 'win32';
  const needs = [
    { name: 'CMake', package: 'cmake', there: succeeds('cmake', '--version') },
    {
      name: 'Ninja or Make',
      package: 'ninja-build',
      there: !unix || ['ninja', 'make'].some((name) => succeeds(name, '--version')),
    },
    { name: 'a C++20 compiler', package: 'g++', there: !unix || hasCompiler() },
  ];
  const missing = needs.filter((need) => !need.there);
  if (missing.length === 0) return;
  const names = missing.map((need) => need.name).join(', ');
  const packages = missing.map((need) => need.package).join(' ');
  throw new BuildError(
    `The native engine needs ${names}: "sudo apt-get install ${packages}" (Debian, Ubuntu), or the same from your system.`,
  );
}

function hasCompiler() {
  const compilers = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  const program = '#include <concepts>\n#include <span>\nstatic_assert(std::integral<int>);\n';
  return compilers.some(
    (name) => spawnSync(name, ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'], { input: program }).status === 0,
  );
}

/** What native/binding needs of Node, all from npm packages: no headers are downloaded. */
function nodeApiDefinitions() {
  const headers = require('node-api-headers');
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  return {
    NODE_ADDON_API_DIR: path.dirname(require.resolve('node-addon-api/package.json')),
    NODE_API_HEADERS_DIR: headers.include_dir,
    NODE_API_DEF_DIR: path.dirname(headers.def_paths.node_api_def),
    MONOKERNEL_VERSION: version,
  };
}

function configure(folder, { tests, sanitize }) {
  const definitions = {
    CMAKE_BUILD_TYPE: 'Release',
    MONOKERNEL_NODE_API: 'ON',
    MONOKERNEL_TESTS: tests ? 'ON' : 'OFF',
    MONOKERNEL_SANITIZE: sanitize ?? '',
    ...nodeApiDefinitions(),
  };
  const fresh = !existsSync(path.join(folder, 'CMakeCache.txt'));
  const generator = fresh && succeeds('ninja', '--version') ? ['-G', 'Ninja'] : [];
  const defined = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
  run('cmake', '-S', source, '-B', folder, ...generator, ...defined);
}

/** Puts the stripped addon into prebuilds in one step: a server that runs the old file keeps it. */
function install(folder) {
  const staged = path.join(folder, 'stage');
  run('cmake', '--install', folder, '--component', 'addon', '--prefix', staged, '--strip');
  const prebuilds = path.join(source, 'prebuilds', `${process.platform}-${process.arch}`);
  mkdirSync(prebuilds, { recursive: true });
  const addon = path.join(prebuilds, 'monokernel.node');
  copyFileSync(path.join(staged, 'monokernel.node'), `${addon}.new`);
  renameSync(`${addon}.new`, addon);
  console.log(path.relative(root, addon));
}

try {
  const { values } = parseArgs({
    options: { tests: { type: 'boolean' }, sanitize: { type: 'string' }, jobs: { type: 'string' } },
  });
  checkTools();
  const folder = path.join(source, values.sanitize ? `build-${values.sanitize.replaceAll(',', '-')}` : 'build');
  configure(folder, values);
  run(
    'cmake',
    '--build',
    folder,
    '--config',
    'Release',
    '--parallel',
    values.jobs ?? String(os.availableParallelism()),
  );
  if (!values.sanitize) install(folder);
} catch (error) {
  console.error(error instanceof BuildError || error.code?.startsWith('ERR_PARSE_ARGS') ? error.message : error);
  process.exitCode = 1;
}
