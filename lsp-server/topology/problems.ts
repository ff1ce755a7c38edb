import type { TopologyProblem, TopologyResult } from '../protocol';
import { kernelFile } from './choice';

/** What keeps the engine from running, or from running well, and what to do about it. */
export function findProblems(box: Omit<TopologyResult, 'problems'>): TopologyProblem[] {
  return [...engineProblems(box), ...gpuProblems(box), ...placementProblems(box), ...cpuProblems(box)];
}

const error = (what: string, remedy: string): TopologyProblem => ({ severity: 'error', what, remedy });
const hint = (what: string, remedy: string): TopologyProblem => ({ severity: 'hint', what, remedy });

function engineProblems({ engine, version }: Omit<TopologyResult, 'problems'>): TopologyProblem[] {
  if (version === '' || engine.chosen !== undefined) return [];
  return [
    error(
      `Nothing can run the model: ${engine.why}.`,
      'Set monokernel.engine to "auto" or "cpu", or install the GPU’s driver.',
    ),
  ];
}

function gpuProblems({ gpus, gpuSearch, kernels }: Omit<TopologyResult, 'problems'>): TopologyProblem[] {
  const problems: TopologyProblem[] = [];
  for (const target of new Set(gpus.map((gpu) => gpu.target))) {
    const file = kernelFile(target);
    if (kernels.some(({ name }) => name === file)) continue;
    problems.push(
      error(
        `A GPU of kind ${target} is there, but its kernel ${file} is not.`,
        'Install a package of the extension that holds it; in a clone of its repository, build the kernels.',
      ),
    );
  }
  for (const line of gpuSearch) {
    if (line.includes('not usable')) problems.push(hint(`${line}.`, 'Nothing: it is left alone.'));
    if (isBrokenCalibration(line)) {
      problems.push(hint(sentence(line), `Until memory is measured again, weights lie anywhere. ${MEASURE}`));
    }
  }
  return problems;
}

const MEASURE = 'Run “Monokernel: Measure GPU Memory” while nothing else uses the GPUs.';

const isBrokenCalibration = (line: string): boolean => line.startsWith('the calibration');

/** Dies that the weights could be placed by, if it were known which memory is near which. */
function placementProblems({ gpus, gpuSearch }: Omit<TopologyResult, 'problems'>): TopologyProblem[] {
  const unmeasured = gpus.filter(({ homes, calibration }) => homes > 1 && calibration === undefined);
  if (unmeasured.length === 0 || gpuSearch.some(isBrokenCalibration)) return [];
  const names = unmeasured.map(({ index }) => index).join(', ');
  return [hint(`Which memory is near which die was never measured (GPU ${names}), so weights lie anywhere.`, MEASURE)];
}

function cpuProblems({ engine, instructionSets, version }: Omit<TopologyResult, 'problems'>): TopologyProblem[] {
  if (version === '' || engine.chosen !== 'cpu' || instructionSets[0] !== 'portable') return [];
  return [hint('This processor has neither AVX-512 nor AVX2: completions are slow.', 'Use a small model.')];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
