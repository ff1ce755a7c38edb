/** What each cost takes of a token: the time that it would save if it were free and all else stayed. */
import { makePlan, type Structure } from './plan';
import { laneformer2b } from './shape';
import { asPublished, simulate, type Costs } from './simulate';
import { unpadded } from './structures';

export interface Cost {
  name: string;
  /** Microseconds a token. */
  saved: number;
}

const names: [keyof Costs, string][] = [
  ['cache', 'reading the KV cache'],
  ['handOff', 'hand-off latency'],
  ['staging', 'collecting inputs, every unit all of them'],
  ['loadRestart', 'memory latency of weight and cache loads'],
  ['exchange', 'exchange between devices'],
  ['reduction', 'adding up in a workgroup'],
];

/** Microseconds a token. */
export function tokenTime(structure: Structure, costs: Partial<Costs> = {}): number {
  return simulate(makePlan(laneformer2b, structure), { ...asPublished, ...costs }).time;
}

/** All costs but the weights themselves, the largest first. They overlap, so they do not add up to the token's time. */
export function costsOf(structure: Structure): Cost[] {
  const time = tokenTime(structure);
  const costs = names.map(([key, name]) => ({ name, saved: time - tokenTime(structure, { [key]: 0 }) }));
  costs.push({ name: 'padding of weight tiles', saved: time - tokenTime(unpadded(structure)) });
  return costs.sort((one, other) => other.saved - one.saved);
}
