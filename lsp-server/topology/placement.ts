import type { TopologyGpu, TopologyResult } from '../protocol';

/** The most GPUs that share a model, as in native/exec/gpu. */
const mostGpus = 8;

/** GPUs that share a Laneformer with so many lanes, of those found, by the rule of native/engine/gpu_shares.cpp. */
function gpusShared(lanes: number, found: number): number {
  let count = 1;
  while (lanes % (2 * count) === 0 && 2 * count <= Math.min(found, mostGpus)) count *= 2;
  return count;
}

/**
 * Lanes of a model on the dies of the GPUs of `target` that have the first one's name, by the rule of
 * native/engine/choose_executor.cpp, and as the kernel deals them out: workgroups take roles die by die, and as many
 * neighbours as there are compute units for each lane share one. `running`: on so many GPUs the model is, once loaded;
 * until then a plain model is drawn on one.
 */
export function placeLanes(
  gpus: readonly TopologyGpu[],
  target: string | undefined,
  modelLanes: number,
  running?: number,
): TopologyResult['placement'] {
  const found = gpus.filter((gpu) => gpu.target === target);
  const alike = found.filter(({ name }) => name === found[0]?.name);
  const used = alike.slice(0, running ?? gpusShared(modelLanes, alike.length));
  const lanes = Math.max(modelLanes, used.length); // a plain model is seen as a lane on each
  const lanesOfGpu = Math.ceil(lanes / Math.max(1, used.length));
  return used.flatMap((gpu, order) => {
    const members = Math.max(1, Math.floor(gpu.computeUnits / lanesOfGpu));
    const unitsOfDie = gpu.computeUnits / gpu.computeDies;
    return Array.from({ length: gpu.computeDies }, (_, die) => {
      const first = Math.floor((die * unitsOfDie) / members);
      const last = Math.floor(((die + 1) * unitsOfDie - 1) / members);
      const here = range(first, Math.min(last, lanesOfGpu - 1)).map((lane) => order * lanesOfGpu + lane);
      return { gpu: gpu.index, die, lanes: here.filter((lane) => lane < lanes) };
    });
  });
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}
