/**
 * What the tests need beside Node, python3, g++ and cmake: Debian packages. As root they are installed; otherwise one
 * line says what to install. Usage: node test/prepare.mjs
 */
import { spawnSync } from 'node:child_process';

/** Program looked for -> Debian package that brings it. */
const needs = [
  { program: 'chromium', package: 'chromium', for: 'the tests in a real VS Code' },
  { program: 'clang++-19', package: 'clang-19', for: 'the GPU kernels' },
  { program: 'ld.lld-19', package: 'lld-19', for: 'the GPU kernels' },
  { program: 'llvm-objdump-19', package: 'llvm-19', for: 'running the gfx942 code object on this machine' },
  { program: 'clang-format-19', package: 'clang-format-19', for: 'the format check' },
  { program: 'clang-tidy-19', package: 'clang-tidy-19', for: 'the C++ lint' },
];

const inPath = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** Installs what is missing, or throws an error that names it. */
export function prepare() {
  const missing = needs.filter((need) => !inPath(need.program));
  if (missing.length === 0) return;
  const packages = missing.map((need) => need.package).join(' ');
  const command = `apt-get install -y --no-install-recommends ${packages}`;
  if (process.getuid?.() !== 0 || !inPath('apt-get')) {
    throw new Error(`The tests need ${packages}: run "sudo ${command}" (Debian, Ubuntu) and start them again.`);
  }
  console.log(`Installing ${packages}`);
  const script = `apt-get update -qq && DEBIAN_FRONTEND=noninteractive ${command}`;
  const result = spawnSync('sh', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (result.status !== 0) throw new Error(`"${command}" failed: run it by hand to see why.`);
}

if (import.meta.url === `file://${process.argv[1]}`) {
  try {
    prepare();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
