/** Machines that the tests make up. */
import type { ProbeResult } from '../../lsp-server/engine/addon';
import type { TopologyCalibration, TopologyGpu, TopologyResult } from '../../lsp-server/protocol';

export const mi300x: TopologyGpu = {
  target: 'gfx942',
  name: 'AMD Instinct MI300X',
  driver: '60443482',
  index: 0,
  computeUnits: 304,
  memoryBytes: 206_141_652_992,
  computeDies: 8,
  homes: 4,
  stacksPerHome: 2,
};

export const h200: TopologyGpu = {
  target: 'sm_90',
  name: 'NVIDIA H200',
  driver: '13.0',
  index: 0,
  computeUnits: 132,
  memoryBytes: 150_109_880_320,
  computeDies: 1,
  homes: 1,
  stacksPerHome: 0,
};

export const rtx4090: TopologyGpu = {
  target: 'sm_80',
  name: 'NVIDIA GeForce RTX 4090',
  driver: '13.0',
  index: 0,
  computeUnits: 128,
  memoryBytes: 24 * 2 ** 30,
  computeDies: 1,
  homes: 1,
  stacksPerHome: 0,
};

export const calibration: TopologyCalibration = {
  period: 1792,
  homes: 4,
  confidence: 0.998,
  localNanoseconds: 641.4,
  remoteNanoseconds: 1152.2,
  pages: 7168,
  reason: 'homes repeat every 1792 pages; 100 % of the measured pages agree',
};

/** Two sockets of two cores each, two threads a core; one core is not this process's to use. */
export const twoSockets: ProbeResult['cpu'] = {
  name: 'Some CPU',
  cores: [0, 1, 2, 3].map((processor) => ({
    processor,
    package: processor >> 1,
    node: processor >> 1,
    used: processor !== 3,
    ...(processor !== 3 && { worker: processor }),
  })),
  caches: [
    { level: 1, type: 'Data', bytes: 49152, count: 4, sharedBy: 1 },
    { level: 3, type: 'Unified', bytes: 33_554_432, count: 2, sharedBy: 2 },
  ],
  nodes: [
    { index: 0, memoryBytes: 64e9 },
    { index: 1, memoryBytes: 64e9 },
  ],
};

/** What the addon says of a machine with two sockets and these GPUs. */
export function probed(...gpuDevices: TopologyGpu[]): ProbeResult {
  return {
    version: '0.1.0',
    instructionSets: ['avx512', 'avx2', 'portable'],
    cpu: twoSockets,
    gpuDevices,
    gpuReason: 'HIP: libamdhip64.so is missing\nCUDA: libcuda.so is missing\n',
  };
}

/** A whole answer of the server; `parts` replace what is usual. */
export function boxOf(parts: Partial<TopologyResult>): TopologyResult {
  return {
    version: '0.1.0',
    instructionSets: ['avx512', 'avx2', 'portable'],
    cpu: twoSockets,
    gpus: [],
    gpuSearch: ['HIP: libamdhip64.so is missing', 'CUDA: libcuda.so is missing'],
    kernels: [],
    engine: { setting: 'auto', chosen: 'cpu', why: 'no usable GPU was found', workers: 3, running: 'cpu: 3 threads' },
    model: { path: '/models/nano', name: 'nano', family: 'laneformer_tp', lanes: 8 },
    placement: [],
    problems: [],
    ...parts,
  };
}
