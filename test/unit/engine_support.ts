import { spawn } from 'node:child_process';
import path from 'node:path';
import type { GeneratedToken, Generation } from '../../lsp-server/engine/contract';

/** Tests run in the repository's root. */
export const addon = path.resolve('native/prebuilds', `${process.platform}-${process.arch}`, 'monokernel.node');
export const tinyModel = path.resolve('test/golden/laneformer-delay2');
/** Slow enough, milliseconds a token, to be caught in the middle. */
export const nanoModel = path.resolve('models/laneformer-nano');

export const engineOptions = { device: 'cpu', threads: 2, slots: 2, contextLength: 0 } as const;

export async function tokensOf(generation: Generation): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  for await (const batch of generation) tokens.push(...batch);
  return tokens;
}

export const delay = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

export interface ScriptEnd {
  status: number | null;
  signal: NodeJS.Signals | null;
  output: string;
}

/** Runs JavaScript in a Node process of its own; `arguments_` are its process.argv from 1 on. */
export function runScript(script: string, arguments_: string[], nodeOptions: string[] = []): Promise<ScriptEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeOptions, '-e', script, ...arguments_], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    child.on('error', reject);
    child.on('close', (status, signal) => {
      resolve({ status, signal, output });
    });
  });
}
