import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Xorshift } from '../peers/models/random';

/** One file of code that the model was not trained on. */
export interface Source {
  /** As the model sees it: relative, with forward slashes. */
  path: string;
  languageId: 'typescript' | 'python';
  text: string;
}

/** Not code that a person writes: other people's packages, tests, tables. */
const leftOut = new Set(
  ['node_modules', 'site-packages', 'dist-packages', '__pycache__', 'test', 'tests'].concat([
    'encodings',
    'pydoc_data',
    'turtledemo',
    'lib2to3',
  ]),
);
const smallest = 1500;
const largest = 60_000;

function filesBelow(folder: string, ending: string): string[] {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return leftOut.has(entry.name) ? [] : filesBelow(full, ending);
    return entry.isFile() && entry.name.endsWith(ending) ? [full] : [];
  });
}

/** `count` readable files below some folders, the same for the same files. */
function sample(root: string, folders: readonly string[], languageId: Source['languageId'], count: number): Source[] {
  const ending = languageId === 'python' ? '.py' : '.ts';
  const sources = folders
    .flatMap((folder) => filesBelow(path.join(root, folder), ending))
    .sort()
    .map((file): Source => {
      const text = fs.readFileSync(file, 'utf8').replaceAll('\r\n', '\n');
      return { path: path.relative(root, file).replaceAll(path.sep, '/'), languageId, text };
    })
    .filter(({ text }) => text.length >= smallest && text.length <= largest && !text.includes('\uFFFD'));
  const random = new Xorshift(count);
  while (sources.length > count) sources.splice(random.below(sources.length), 1);
  return sources;
}

/** This project's own TypeScript. */
export function projectSources(root: string, count: number): Source[] {
  return sample(root, ['extension', 'lsp-server', 'bench'], 'typescript', count);
}

/** The standard library of the machine's Python, and its version. */
export function pythonSources(count: number): { version: string; sources: Source[] } {
  const program = "import sys, sysconfig; print(sys.version.split()[0]); print(sysconfig.get_path('stdlib'))";
  let answer: string;
  try {
    answer = execFileSync('python3', ['-c', program], { encoding: 'utf8', timeout: 30_000 });
  } catch (error) {
    throw new Error("The held-out Python code is python3's standard library, but python3 does not run", {
      cause: error,
    });
  }
  const [version = '', folder = ''] = answer.trim().split('\n');
  return { version, sources: sample(folder, ['.'], 'python', count) };
}
