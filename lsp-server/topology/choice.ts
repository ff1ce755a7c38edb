import type { Settings, TopologyGpu, TopologyResult } from '../protocol';

export const kernelFile = (target: TopologyGpu['target']): string =>
  target === 'gfx942' ? 'monokernel.gfx942.co' : 'monokernel.sm_90.ptx';

/** What the setting comes to on this machine, by the rule of native/engine/choose_executor.cpp. */
export function chooseEngine(
  setting: Settings['engine'],
  gpus: readonly TopologyGpu[],
  kernels: readonly { name: string }[],
): Pick<TopologyResult['engine'], 'chosen' | 'why'> {
  if (setting === 'cpu') return { chosen: 'cpu', why: 'the setting asks for the CPU' };
  const inOrder = [...gpus].sort((one, other) => one.target.localeCompare(other.target)); // gfx942 before sm_90
  const wanted = inOrder.filter(({ target }) => setting === 'auto' || target === setting);
  const usable = wanted.find(({ target }) => kernels.some(({ name }) => name === kernelFile(target)));
  if (usable) return { chosen: usable.target, why: `${usable.name} and the kernel for it were found` };
  const missing = wanted[0] ? `the kernel for ${wanted[0].name} is missing` : undefined;
  if (setting === 'auto') return { chosen: 'cpu', why: missing ?? 'no usable GPU was found' };
  return { why: missing ?? `the setting asks for ${setting}, and no such GPU was found` };
}
