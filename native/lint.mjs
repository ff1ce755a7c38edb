/**
 * Format and lint of the C++: clang-format over every source, clang-tidy over what native/build compiles.
 * Usage: node native/lint.mjs [--fix]
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const buildFolder = path.join(root, 'native', 'build');

/** The newest of clang-TOOL-19 and later, or plain clang-TOOL. */
function find(tool) {
  const names = [22, 21, 20, 19]
    .map((version) => `${tool}-${version}`)
    .reverse()
    .concat(tool);
  const found = names.find((name) => spawnSync(name, ['--version']).status === 0);
  if (!found) throw new Error(`${tool} is missing: apt-get install ${tool}-19`);
  return found;
}

/** Runs one command for each item, as many at a time as there are cores; true if all succeeded. */
async function all(items, command, argumentsFor) {
  let ok = true;
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      const status = await new Promise((resolve) => {
        const child = spawn(command, argumentsFor(item), { cwd: root, stdio: ['ignore', 'inherit', 'ignore'] });
        child.on('close', resolve);
      });
      if (status !== 0) {
        console.error(`${command}: ${path.relative(root, item)} is not clean`);
        ok = false;
      }
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
  return ok;
}

const tracked = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '*.h', '*.cpp'], {
  cwd: root,
  encoding: 'utf8',
});
const sources = tracked.stdout.split('\n').filter((name) => name && existsSync(path.join(root, name)));
const format = process.argv.includes('--fix') ? ['-i'] : ['--dry-run', '-Werror'];
const formatted =
  spawnSync(find('clang-format'), [...format, ...sources], { cwd: root, stdio: 'inherit' }).status === 0;

const database = path.join(buildFolder, 'compile_commands.json');
if (!existsSync(database)) throw new Error('clang-tidy needs native/build: run "npm run build:native" first.');
const compiled = JSON.parse(readFileSync(database, 'utf8'))
  .map((entry) => path.resolve(entry.directory, entry.file))
  .filter((file) => file.startsWith(root) && !file.includes('node_modules') && !file.startsWith(buildFolder));
const tidy = await all(new Set(compiled), find('clang-tidy'), (file) => ['--quiet', '-p', buildFolder, file]);
process.exitCode = formatted && tidy ? 0 : 1;
