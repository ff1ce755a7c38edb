import type { GpuTarget, Settings, TopologyGpu, TopologyResult } from '../protocol';

/** In the order in which `auto` tries them. */
export const targetsInOrder = ['gfx942', 'sm_90', 'sm_80'] as const;

const kernelFiles: Record<(typeof targetsInOrder)[number], string> = {
  gfx942: 'monokernel.gfx942.co',
  sm_90: 'monokernel.sm_90.ptx',
  sm_80: 'monokernel.sm_80.ptx',
};

export const kernelFile = (target: GpuTarget): string => kernelFiles[target];

/** What the setting comes to on this machine, by the rule of native/engine/choose_executor.cpp. */
export function chooseEngine(
  setting: Settings['engine'],
  gpus: readonly TopologyGpu[],
  kernels: readonly { name: string }[],
): Pick<TopologyResult['engine'], 'chosen' | 'why'> {
  if (setting === 'cpu') return { chosen: 'cpu', why: 'the setting asks for the CPU' };
  const targets = targetsInOrder.filter((target) => setting === 'auto' || target === setting);
  const wanted = targets.flatMap((kind) => gpus.filter(({ target }) => target === kind));
  const usable = wanted.find(({ target }) => kernels.some(({ name }) => name === kernelFile(target)));
  if (usable) return { chosen: usable.target, why: `${usable.name} and the kernel for it were found` };
  const missing = wanted[0] ? `the kernel for ${wanted[0].name} is missing` : undefined;
  if (setting === 'auto') return { chosen: 'cpu', why: missing ?? 'no usable GPU was found' };
  return { why: missing ?? `the setting asks for ${setting}, and no such GPU was found` };
}
