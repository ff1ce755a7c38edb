/**
 * Brings the peers, on first use: node-llama-cpp from npm (CPU package only), llama.cpp built for this machine from the
 * sources inside that package, and the small native contenders.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import * as path from 'node:path';
import { root } from './project';

const here = path.join(root, 'bench/peers');
const cache = path.join(root, '.cache/bench-peers');
const sources = path.join(cache, 'llama.cpp');
const nativeBuild = path.join(cache, 'llama.cpp-build');

const platforms: Record<string, string> = { 'linux x64': 'linux-x64', 'linux arm64': 'linux-arm64' };

/** Runs a command quietly; an error shows what it printed. */
function run(command: string, args: readonly string[], cwd = root): void {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 28, timeout: 1_800_000 });
  if (result.status === 0) return;
  const output = `${result.stdout}${result.stderr}`.slice(-4000);
  throw new Error(
    `"${command} ${args.join(' ')}" failed (${result.error?.message ?? `status ${result.status}`}):\n${output}`,
  );
}

function step(text: string): void {
  process.stderr.write(`${text}\n`);
}

function packageVersion(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const { version, dependencies } = JSON.parse(readFileSync(file, 'utf8')) as {
    version?: string;
    dependencies?: Record<string, string>;
  };
  return version ?? dependencies?.['node-llama-cpp'];
}

/** Folder of the prebuilt llama.cpp libraries that node-llama-cpp uses. */
function installPackages(version: string): string {
  const platform = platforms[`${process.platform} ${process.arch}`];
  if (!platform) throw new Error(`bench:cpu runs on Linux (x64, arm64), not on ${process.platform} ${process.arch}.`);
  const libraries = path.join(here, 'node_modules/@node-llama-cpp', platform, 'bins', platform);
  const installed = packageVersion(path.join(here, 'node_modules/node-llama-cpp/package.json'));
  if (installed !== version || !existsSync(libraries)) {
    step(`Installing node-llama-cpp ${version} into bench/peers/node_modules (about 85 MB)`);
    // Its optional packages are builds for every GPU, 700 MB: only this machine's CPU build is added.
    const options = ['--no-save', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
    run('npm', ['install', ...options, `@node-llama-cpp/${platform}@${version}`], here);
  }
  return libraries;
}

/** llama.cpp's sources at the very release that the package was built from. */
function unpackSources(): void {
  if (existsSync(sources)) return;
  const unfinished = `${sources}.unfinished`;
  mkdirSync(cache, { recursive: true });
  rmSync(unfinished, { recursive: true, force: true });
  run('git', ['clone', '--quiet', path.join(here, 'node_modules/node-llama-cpp/llama/gitRelease.bundle'), unfinished]);
  renameSync(unfinished, sources);
}

/** llama.cpp with -march=native and OpenMP, as its own build instructions have it: the libraries only. */
function buildLlama(): string {
  const libraries = path.join(nativeBuild, 'bin');
  if (!existsSync(path.join(libraries, 'libllama.so'))) {
    step('Building llama.cpp for this machine (once; a few minutes)');
    const off = ['CURL', 'BUILD_TESTS', 'BUILD_EXAMPLES', 'BUILD_TOOLS', 'BUILD_SERVER', 'BUILD_COMMON'];
    const options = ['-DCMAKE_BUILD_TYPE=Release', ...off.map((name) => `-DLLAMA_${name}=OFF`)];
    run('cmake', ['-S', sources, '-B', nativeBuild, ...options]);
    run('cmake', ['--build', nativeBuild, '--target', 'llama', '--parallel', '2']);
  }
  return libraries;
}

const newer = (file: string, than: string): boolean =>
  existsSync(file) && statSync(file).mtimeMs > statSync(than).mtimeMs;

function compile(source: string, program: string, args: readonly string[]): string {
  const target = path.join(cache, program);
  const from = path.join(here, source);
  mkdirSync(cache, { recursive: true });
  if (!newer(target, from)) run('g++', ['-std=c++20', '-O3', '-march=native', from, '-o', target, '-pthread', ...args]);
  return target;
}

/** The contender llama_peer.cpp over the libllama and ggml libraries in `libraries`. */
function compilePeer(program: string, libraries: string): string {
  const wanted = /^lib(llama|ggml|ggml-base|ggml-cpu)(\.v[\d.]+)?\.so$/;
  const links = readdirSync(libraries).filter((name) => wanted.test(name));
  return compile('llama_peer.cpp', program, [
    ...['include', 'ggml/include'].map((folder) => `-isystem${path.join(sources, folder)}`),
    `-L${libraries}`,
    ...links.map((name) => `-l:${name}`),
    `-Wl,-rpath,${libraries}`,
  ]);
}

/** Paths of everything that the benchmark starts. */
export interface Peers {
  /** Of node-llama-cpp. */
  version: string;
  streamRead: string;
  handOff: string;
  /** llama_peer over the libraries in the npm package. */
  packaged: string;
  packagedLibraries: string;
  /** llama_peer over llama.cpp built here; not there when it was not asked for and no earlier run has left it. */
  native: string | undefined;
  node: string;
}

/** Installs what is missing; building llama.cpp takes some minutes and is left out without `buildNative`. */
export function installPeers(buildNative: boolean): Peers {
  const version = packageVersion(path.join(here, 'package.json'));
  if (version === undefined) throw new Error('bench/peers/package.json names no version of node-llama-cpp.');
  const packagedLibraries = installPackages(version);
  unpackSources();
  const native = buildNative || existsSync(path.join(nativeBuild, 'bin/libllama.so')) ? buildLlama() : undefined;
  return {
    version,
    streamRead: compile('stream_read.cpp', 'stream_read', []),
    handOff: compile('hand_off.cpp', 'hand_off', []),
    packaged: compilePeer('llama_peer_packaged', packagedLibraries),
    packagedLibraries,
    native: native === undefined ? undefined : compilePeer('llama_peer_native', native),
    node: path.join(here, 'node_llama_peer.mjs'),
  };
}
