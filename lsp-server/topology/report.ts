import type { TopologyGpu, TopologyResult } from '../protocol';

/** The machine as text, for a terminal: one line a fact, problems last. */
export function reportOf(box: TopologyResult): string {
  return sectionsText([
    ['Engine', engineLines(box)],
    ['CPU', cpuLines(box)],
    ['GPU', gpuLines(box)],
    ['Kernels', kernelLines(box)],
    ['Model', modelLines(box)],
    ['Placement', placementLines(box)],
    ['Problems', problemLines(box)],
  ]);
}

/** Sections as text: a column of their titles, and one of their lines. */
export function sectionsText(sections: readonly (readonly [string, readonly string[]])[]): string {
  return sections
    .map(([title, lines]) => lines.map((line, at) => `${(at === 0 ? title : '').padEnd(11)}${line}`).join('\n'))
    .join('\n');
}

/** "48 KiB", "141 GB": powers of two below a gibibyte, as caches are told; powers of ten above, as memories are sold. */
export function bytesText(bytes: number): string {
  if (bytes >= 1e9) return `${Math.round(bytes / 1e9)} GB`;
  return bytes >= 1 << 20 ? `${Math.round(bytes / (1 << 20))} MiB` : `${Math.round(bytes / 1024)} KiB`;
}

function engineLines({ version, engine }: TopologyResult): string[] {
  const lines = [version === '' ? 'cannot be loaded' : `version ${version} on ${process.platform}-${process.arch}`];
  lines.push(`setting "${engine.setting}": ${engine.chosen ?? 'nothing can run'}, because ${engine.why}`);
  if (engine.running !== undefined) lines.push(`running: ${engine.running}`);
  return lines;
}

function cpuLines({ cpu, instructionSets }: TopologyResult): string[] {
  if (cpu.cores.length === 0) return ['not known'];
  const used = cpu.cores.filter((core) => core.used).length;
  const sockets = new Set(cpu.cores.map((core) => core.package)).size;
  const memory = cpu.nodes.reduce((sum, node) => sum + node.memoryBytes, 0);
  const lines = [
    `${cpu.name === '' ? 'unknown processor' : cpu.name}: ${count(sockets, 'socket')}, ${count(cpu.nodes.length, 'NUMA node')}, ` +
      `${count(cpu.cores.length, 'core')}, of which ${used} may be used`,
    `instruction sets, best first: ${instructionSets.join(', ')}`,
  ];
  const caches = cpu.caches
    .filter(({ type }) => type !== 'Instruction')
    .map(({ level, bytes, count: number }) => `${number} x L${level} of ${bytesText(bytes)}`);
  if (caches.length > 0) lines.push(`caches: ${caches.join(', ')}`);
  if (memory > 0) lines.push(`memory: ${bytesText(memory)}`);
  return lines;
}

function gpuLines({ version, gpus, gpuSearch }: TopologyResult): string[] {
  if (version === '') return ['not looked for: the engine cannot be loaded'];
  const found = gpus.flatMap(gpuFacts);
  const lines = found.length > 0 ? found : ['none that the kernels run on'];
  return [...lines, ...gpuSearch.map((line) => `looked for ${line}`)];
}

function gpuFacts(gpu: TopologyGpu): string[] {
  const dies = gpu.computeDies > 1 ? `${gpu.computeDies} dies, ` : '';
  const stacks =
    gpu.stacksPerHome > 0 ? `${gpu.homes * gpu.stacksPerHome} memory stacks on ${gpu.homes} I/O dies, ` : '';
  return [
    `${gpu.index}: ${gpu.name} (${gpu.target}), ${dies}${gpu.computeUnits} compute units, ${stacks}${bytesText(gpu.memoryBytes)}, driver ${gpu.driver}`,
    `   memory by die: ${calibrationText(gpu)}`,
  ];
}

/** What is known of near and far memory. */
function calibrationText(gpu: TopologyGpu): string {
  const { calibration } = gpu;
  const use = useOfCalibration(gpu);
  if (!calibration) return `not measured; ${use}`;
  const { reason, localNanoseconds: local, remoteNanoseconds: remote } = calibration;
  const times = local > 0 ? `; round trip ${Math.round(local)} ns near, ${Math.round(remote)} ns far` : '';
  return `${reason}${times}; ${use}`;
}

/** What the executor makes of a calibration, which has a period where it is certain. */
export function useOfCalibration({ calibration, homes }: TopologyGpu): string {
  if (homes < 2) return 'this kind of GPU is not placed by it';
  return (calibration?.period ?? 0) > 0 ? 'weights are placed by it' : 'weights lie anywhere';
}

function kernelLines({ kernels }: TopologyResult): string[] {
  if (kernels.length === 0) return ['none: GPUs cannot be used'];
  return kernels.map(({ name, bytes }) => `${name}, ${bytesText(bytes)}`);
}

function modelLines({ model }: TopologyResult): string[] {
  if (model.name === undefined) return [`${model.path}: cannot be used`];
  const lanes = count(model.lanes ?? 1, 'lane');
  return [
    `${model.path}: ${model.family ?? 'unknown family'}, ${lanes}`,
    'its weights are checked when they are loaded',
  ];
}

function placementLines({ placement, engine, model }: TopologyResult): string[] {
  if (placement.length > 0) {
    return placement.map(
      ({ gpu, die, lanes }) => `GPU ${gpu}, die ${die}: ${lanes.length > 0 ? `lanes ${lanes.join(', ')}` : 'no lane'}`,
    );
  }
  if (engine.chosen !== 'cpu') return ['none'];
  return [
    `${count(engine.workers, 'worker')} on the CPU, each with its share of the rows of ${count(model.lanes ?? 1, 'lane')}`,
  ];
}

function problemLines({ problems }: TopologyResult): string[] {
  if (problems.length === 0) return ['none'];
  return problems.map(({ severity, what, remedy }) => `${severity === 'error' ? 'ERROR' : 'hint'}: ${what} ${remedy}`);
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}
