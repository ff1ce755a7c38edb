import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Engine } from '../../lsp-server/engine/contract';
import type { JsonObject } from '../../lsp-server/models/json';
import { joinModel, readModelText, type LanguageModel } from '../../lsp-server/models/language_model';
import { openModelFolder, type ModelFolder } from '../../lsp-server/models/model_folder';
import { Tokenizer } from '../../lsp-server/models/tokenizer';

/** The repository's root; tests run there. */
export const root = process.cwd();

export const nanoPath = path.join(root, 'models/laneformer-nano');

export const nanoFolder = (): Promise<ModelFolder> => openModelFolder('', nanoPath);

export const nanoTokenizer = async (): Promise<Tokenizer> => Tokenizer.fromFolder(await nanoFolder());

/** The nano model's tokenizer and templates, run by a given engine. */
export async function nanoWith(engine: Engine): Promise<LanguageModel> {
  const folder = await nanoFolder();
  return joinModel(folder, readModelText(folder), engine);
}

export const readJson = (file: string): JsonObject =>
  JSON.parse(readFileSync(path.join(root, file), 'utf8')) as JsonObject;

/** Real source files of this repository and of packages that come with it, in several languages and styles. */
export const sourceFiles: readonly string[] = [
  'lsp-server/protocol.ts',
  'lsp-server/engine/probe.ts',
  'test/run.mjs',
  'test/golden/make_golden.py',
  'native/model/model_spec.h',
  'node_modules/vscode-languageserver/lib/common/server.js',
  'node_modules/typescript/lib/lib.es2015.core.d.ts',
  'node_modules/esbuild/install.js',
];

export const readSource = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** A small seeded generator (mulberry32), so that a failure can be repeated. */
export function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
