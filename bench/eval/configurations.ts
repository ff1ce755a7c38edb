import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { Contender } from '../peers/contender';
import { loadEngine, type NativeEngine } from '../../lsp-server/engine/native';
import type { EngineOptions } from '../../lsp-server/engine/contract';
import { addonFile, nanoFolder, root } from '../peers/project';

/** One way to run the model. */
export interface Configuration {
  title: string;
  instructionSet: string;
  /** Tokens a pass when scoring: 1 is the decode path. */
  stepWidth: number;
  /** Slow ones are judged on a part of the data, against the first configuration on the same part. */
  part: number;
}

const width = 256;
/** Results are the same for every number; loss and lines run side by side, each in a process of its own. */
const threads = 1;

/** The first is what the others are compared with. */
export function configurations(instructionSets: readonly string[]): Configuration[] {
  const [bestSet = '', ...others] = instructionSets;
  return [
    { title: `bf16, ${bestSet}`, instructionSet: bestSet, stepWidth: width, part: 1 },
    { title: `bf16, ${bestSet}, token by token`, instructionSet: bestSet, stepWidth: 1, part: 16 },
    ...others.map((set) => ({ title: `bf16, ${set}`, instructionSet: set, stepWidth: width, part: 16 })),
  ];
}

/** Builds bench/eval/score.cpp with the engine's CPU executor. */
export function buildScorer(): string {
  const folder = path.join(root, '.cache/bench-eval');
  const steps = [
    ['-S', path.join(root, 'bench/eval'), '-B', folder],
    ['--build', folder, '--target', 'score', '--parallel', '2'],
  ];
  for (const args of steps) {
    const result = spawnSync('cmake', args, { encoding: 'utf8', timeout: 1_200_000 });
    if (result.status === 0) continue;
    throw new Error(`"cmake ${args.join(' ')}" failed:\n${`${result.stdout}${result.stderr}`.slice(-4000)}`);
  }
  return path.join(folder, 'score');
}

export function startScorer(program: string, { title, instructionSet, stepWidth }: Configuration): Promise<Contender> {
  return Contender.start(title, threads, [program, nanoFolder, String(threads), instructionSet, String(stepWidth)]);
}

export function startEngine({ instructionSet }: Configuration): Promise<NativeEngine> {
  const options: EngineOptions = { device: 'cpu', threads, slots: 2, contextLength: 0, instructionSet };
  return loadEngine(addonFile(), nanoFolder, options);
}
