import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ProbeResult } from '../engine/addon';
import type { ModelFacts } from '../engine/contract';
import { readModelText } from '../models/language_model';
import { openModelFolder } from '../models/model_folder';
import type { InitializationOptions, Settings, TopologyProblem, TopologyResult } from '../protocol';
import { chooseEngine } from './choice';
import { placeLanes } from './placement';
import { findProblems } from './problems';

/** Tries the addon in a process of its own: `probeAddon` in the product. */
export type Probe = (addon: string, workers: number) => Promise<ProbeResult>;

export interface LookOptions {
  places: Pick<InitializationOptions, 'addon' | 'defaultModel'>;
  settings: Settings;
  /** What runs now; undefined while no model is loaded. */
  running: Pick<ModelFacts, 'description' | 'gpuCount'> | undefined;
  probe: Probe;
}

const nothing: Pick<ProbeResult, 'version' | 'instructionSets' | 'cpu' | 'gpuDevices' | 'gpuReason'> = {
  version: '',
  instructionSets: [],
  cpu: { name: '', cores: [], caches: [], nodes: [] },
  gpuDevices: [],
  gpuReason: '',
};

/** Looks at the machine, the engine's files and the model folder. Never rejects: what goes wrong is a problem. */
export async function lookAtMachine({ places, settings, running, probe }: LookOptions): Promise<TopologyResult> {
  const problems: TopologyProblem[] = [];
  const [found, kernels, model] = await Promise.all([
    probe(places.addon, settings.threads).catch((error: unknown) => {
      problems.push({ severity: 'error', what: messageOf(error), remedy: 'Then restart the language server.' });
      return nothing;
    }),
    kernelsBeside(places.addon),
    lookAtModel(settings.model.path, places.defaultModel).catch((error: unknown) => {
      problems.push({
        severity: 'error',
        what: messageOf(error),
        remedy: 'Or leave the setting empty for the built-in model.',
      });
      return { path: settings.model.path === '' ? places.defaultModel : settings.model.path };
    }),
  ]);
  const choice = chooseEngine(settings.engine, found.gpuDevices, kernels);
  const cores = found.cpu.cores.filter(({ used }) => used).length;
  const box: Omit<TopologyResult, 'problems'> = {
    version: found.version,
    instructionSets: found.instructionSets,
    cpu: found.cpu,
    gpus: found.gpuDevices,
    gpuSearch: found.gpuReason.split('\n').filter((line) => line.trim() !== ''),
    kernels,
    engine: {
      setting: settings.engine,
      ...(found.version === '' ? { why: 'the engine cannot be loaded' } : choice),
      workers: settings.threads > 0 ? settings.threads : cores,
      ...(running === undefined ? {} : { running: running.description }),
    },
    model,
    placement: placeLanes(found.gpuDevices, choice.chosen, 'lanes' in model ? model.lanes : 1, running?.gpuCount),
  };
  const all = [...problems, ...findProblems(box)];
  const errorsFirst = (['error', 'hint'] as const).flatMap((severity) =>
    all.filter((one) => one.severity === severity),
  );
  return { ...box, problems: errorsFirst };
}

/** The GPU kernels, which serve every platform, in the folder beside the addon's own. */
async function kernelsBeside(addon: string): Promise<TopologyResult['kernels']> {
  const folder = path.join(path.dirname(addon), '..', 'kernels');
  const names = await readdir(folder).catch(() => []);
  const sizes = names.map(async (name) => ({ name, bytes: (await stat(path.join(folder, name))).size }));
  return (await Promise.all(sizes)).sort((one, other) => one.name.localeCompare(other.name));
}

/** Config, tokenizer, templates and the names of the weight files; the engine checks the weights when it loads them. */
async function lookAtModel(wanted: string, fallback: string) {
  const folder = await openModelFolder(wanted, fallback);
  readModelText(folder);
  const lanes = folder.config['num_lanes'];
  return {
    path: folder.path,
    name: folder.name,
    family: String(folder.config['model_type']),
    lanes: typeof lanes === 'number' && Number.isInteger(lanes) && lanes > 0 ? lanes : 1,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
