/**
 * What the model takes from public sources. Nothing here was measured by this project; the names of the sources are those
 * of the table in docs/performance.md. Times in microseconds, rates in bytes a microsecond (1e6 of these are 1 TB/s).
 */

export interface Input {
  value: number;
  /** As in its source. */
  text: string;
  source: string;
}

const terabytes = 1e6;
const gigabytes = 1e3;

export const inputs = {
  phaseRate: {
    value: 3.58 * terabytes,
    text: '3.58 TB/s: an isolated matrix-vector phase, 75 % of its pages remote',
    source: 'cklxx/fleet-mi300x, hand-shake microbenchmark',
  },
  streamRate: {
    value: 4.24 * terabytes,
    text: '4.24 TB/s: a register stream, eight 16-byte loads in flight a lane',
    source: 'cklxx/fleet-mi300x, stream microbenchmark',
  },
  bestRate: {
    value: 4.87 * terabytes,
    text: '4.87 TB/s: the best batch-1 FP16 matrix-vector product published for MI300X',
    source: 'ROCm/rocm-libraries#12329',
  },
  localGain: {
    value: 5190 / 3810,
    text: '5,190 against 3,810 GB/s: all pages local against 75 % remote, on gfx950',
    source: 'ROCm/fleet-chiplet-megakernel, locality curve',
  },
  unitRate: {
    value: 27 * gigabytes,
    text: '26 to 28 GB/s: what one compute unit streams from beyond its L2',
    source: 'cklxx/fleet-mi300x, experiment (g)',
  },
  loadRestart: {
    value: 0.5,
    text: '0.5 us: memory latency at each restart of loading',
    source: 'CREETA digest of KOGBLOG',
  },
  handOff: {
    value: 0.9,
    text: '0.9 us: a hand-off by readiness in the data, inside the running engine',
    source: 'Kog thread, CREETA',
  },
  localHandOff: {
    value: 692 / ((692 + 1180) / 2),
    text: '692 and 1,180 ns: the same ping-pong with the flag at the near and the far die, on gfx950',
    source: 'ROCm/fleet-chiplet-megakernel, aid_remote_hbm',
  },
  sharedMemoryTrip: { value: 0.024, text: '51 cycles, 24 ns: LDS latency', source: 'caps-tum/mt4g, MI300X' },
  memoryLatency: { value: 0.428, text: '900 cycles, 428 ns: HBM latency', source: 'caps-tum/mt4g, MI300X' },
  collective: {
    value: 3.5,
    text: '3 and 4 us: collective of Kog’s library; the digests disagree, their mean is taken',
    source: 'digests of KOGRT',
  },
  linkLatency: {
    value: 1.5,
    text: '1 to 2 us: a tagged store over xGMI; no public measurement, an expectation',
    source: 'no source',
  },
  linkRate: {
    value: 50 * gigabytes,
    text: '50 GB/s a link and direction, of 64 nominal',
    source: 'ScalarLM, MI300X node',
  },
} satisfies Record<string, Input>;
