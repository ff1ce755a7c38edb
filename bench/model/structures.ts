/** The engines that are modelled. What is public of Kog's is little; what is assumed beyond it is said here. */
import { inputs } from './inputs';
import type { Structure } from './plan';

/**
 * Kog's engine on eight MI300X: one lane a GPU, weights split evenly, values handed over as fp16 whose readiness is in
 * themselves. Assumed: a phase's weights are asked for when its input is there, since Kog's own figures count a restart of
 * loading; an fp16 cache; collectives in sight only where delayed tensor parallelism has none to hide behind.
 */
export const kog: Structure = {
  name: 'Kog, 8 GPUs',
  devices: 8,
  units: 304,
  lookAhead: 0,
  window: 32768,
  wordBytes: 2,
  vectorBytes: 2,
  cacheBytes: 2,
  chunks: 16,
  tile: undefined,
  localWeights: false,
  localCache: false,
  localMailboxes: false,
  lanesInTurn: false,
  exchange: () => inputs.collective.value,
  context: 512,
};

/** The variant that groups compute units by I/O die: its streams are local; nothing is known of its hand-offs. */
export const kogByDie: Structure = { ...kog, name: 'Kog, by I/O die', localWeights: true, localCache: true };

/** Workgroups of native/exec/gpu/gpu_grid.cpp on 304 compute units, where Laneformer 2B has so many devices. */
const gridOf: Record<number, number> = { 1: 280, 2: 280, 4: 256, 8: 256 };

const overLink = (devices: number) => (bytes: number) =>
  devices > 1 ? inputs.linkLatency.value + bytes / inputs.linkRate.value : 0;

/**
 * The kernel in native/kernel on gfx942: 8-byte words of a value or of two, an f16 cache, one tile (8 vectors of 16 bytes a lane, so 32
 * KiB a workgroup) asked for ahead, weights padded to whole tiles, up to eight chunks a head.
 */
export function ours(devices: number): Structure {
  return {
    name: `ours, ${devices} GPU${devices > 1 ? 's' : ''}`,
    devices,
    units: gridOf[devices] ?? 304,
    lookAhead: 32768,
    window: 32768,
    wordBytes: 8,
    vectorBytes: 4,
    cacheBytes: 2,
    chunks: 8,
    tile: { waves: 4, tileBlocks: 8, maxGroups: 2 },
    localWeights: false,
    localCache: false,
    localMailboxes: false,
    lanesInTurn: false,
    exchange: overLink(devices),
    context: 512,
  };
}

/** The same with the weights at home: what the executor does where the memory was calibrated. */
export function weightsAtHome(structure: Structure): Structure {
  return { ...structure, name: `${structure.name}, weights at home`, localWeights: true };
}

/** The same with the KV cache at home, too: that of the few units that read it. */
export function cacheAtHome(structure: Structure): Structure {
  return { ...structure, name: `${structure.name}, cache too`, localCache: true };
}

/** The same with the mailboxes at home, too. */
export function mailboxesAtHome(structure: Structure): Structure {
  return { ...structure, name: `${structure.name}, mailboxes too`, localMailboxes: true };
}

/** The same with a device's lanes beginning in turn. */
export function lanesInTurn(structure: Structure): Structure {
  return { ...structure, name: `${structure.name}, lanes in turn`, lanesInTurn: true };
}

/** The same with rows split evenly and no padding: what smaller tiles come near to. */
export function unpadded(structure: Structure): Structure {
  return { ...structure, name: `${structure.name}, no padding`, tile: undefined };
}
