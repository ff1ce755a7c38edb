import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { Contender } from '../peers/contender';
import { loadEngine, type NativeEngine } from '../../lsp-server/engine/native';
import type { EngineOptions } from '../../lsp-server/engine/contract';
import { addonFile, nanoFolder, root } from '../peers/project';

/** One way to run the model. */
export interface Configuration {
  title: string;
  precision: 'bf16' | 'int8';
  instructionSet: string;
  /** Tokens a pass when scoring: 1 is the decode path. */
  stepWidth: number;
  /** Slow ones are judged on a part of the data, against the first configuration on the same part. */
  part: number;
}

const width = 256;
/** One a core: results are the same for every number. */
const threads = 0;

/**
 * The first is what the others are compared with. Of the instruction sets the two best and the portable one: the others
 * have the same bits as one of them, and int8 has the same on all (native tests).
 */
export function configurations(instructionSets: readonly string[]): Configuration[] {
  const [bestSet = '', ...others] = instructionSets;
  const bf16 = (title: string, instructionSet: string, stepWidth: number, part: number): Configuration => ({
    title: `bf16, ${title}`,
    precision: 'bf16',
    instructionSet,
    stepWidth,
    part,
  });
  return [
    bf16(bestSet, bestSet, width, 1),
    { ...bf16('', bestSet, width, 1), title: `int8, ${bestSet}`, precision: 'int8' },
    bf16(`${bestSet}, token by token`, bestSet, 1, 16),
    ...others.slice(0, 1).map((set) => bf16(set, set, width, 4)),
    ...others
      .slice(1)
      .filter((set) => set === 'portable')
      .map((set) => bf16(set, set, width, 16)),
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

export function startScorer(program: string, configuration: Configuration): Promise<Contender> {
  const { title, precision, instructionSet, stepWidth } = configuration;
  const args = [nanoFolder, String(threads), instructionSet, String(stepWidth), precision];
  return Contender.start(title, threads, [program, ...args]);
}

export function startEngine({ instructionSet, precision }: Configuration): Promise<NativeEngine> {
  const options: EngineOptions = { device: 'cpu', precision, threads, slots: 2, contextLength: 0, instructionSet };
  return loadEngine(addonFile(), nanoFolder, options);
}
