/**
 * One token on one device, event by event. Each I/O die's memory serves requests first come, first served; each compute
 * unit keeps a window of weight bytes in flight or held, and takes a phase's bytes once the phase's input is staged. A
 * phase's input is there a hand-off after the last unit of its lane has finished the phase before. Devices are alike, so
 * one stands for all: what comes over a link was sent when this device sent the same.
 */
import { EventQueue } from './event_queue';
import { inputs } from './inputs';
import type { DevicePlan, Phase } from './plan';

/** What may be changed for an experiment; 1 is as the inputs say. */
export interface Costs {
  handOff: number;
  staging: number;
  loadRestart: number;
  /** Of the phase rate. */
  rate: number;
  exchange: number;
  reduction: number;
  cache: number;
}

export const asPublished: Costs = {
  handOff: 1,
  staging: 1,
  loadRestart: 1,
  rate: 1,
  exchange: 1,
  reduction: 1,
  cache: 1,
};

export interface Outcome {
  /** Microseconds a token. */
  time: number;
  /** Bytes of weights that the device read, padding included. */
  bytes: number;
  /** Time that an input of each kind of phase took, summed over the token's phases (the last unit's end to the next). */
  phases: Map<string, number>;
}

const homes = 4;
const pageBytes = 4096;
/** Trips through shared memory that add up the waves' parts of a row. */
const reductionTrips = 4;

/** In which lanes begin where they do not begin together, as in native/exec/gpu/gpu_layout.cpp. */
const turns = 4;

interface Chunk {
  phase: number;
  bytes: number;
  arrival: number;
}

interface Unit {
  group: number;
  index: number;
  home: number;
  chunks: Chunk[];
  issued: number;
  taken: number;
  held: number;
  lastArrival: number;
  /** The phase it works on, and when that one's input was staged. */
  phase: number;
  staged: number;
}

type Event =
  { kind: 'staged'; unit: Unit; phase: number } | { kind: 'take'; unit: Unit } | { kind: 'done'; unit: Unit };

export function simulate(plan: DevicePlan, costs: Costs = asPublished): Outcome {
  return new Simulation(plan, costs).run();
}

class Simulation {
  private readonly events = new EventQueue<Event>();
  private readonly units: Unit[] = [];
  /** When each home's memory is free again, and bytes a microsecond of one home. */
  private readonly free = Array.from({ length: homes }, () => 0);
  private readonly rate: number;
  private readonly handOff: number;
  private readonly reduction: number;
  /** Lanes that begin at once; as many more begin when these have their queries, keys and values. */
  private readonly turnLanes: number;
  /** [group][phase]: units that are not done, and the end of the last one. */
  private readonly open: number[][];
  private readonly ended: number[][];
  private requests = 0;
  private bytes = 0;

  constructor(
    private readonly plan: DevicePlan,
    private readonly costs: Costs,
  ) {
    const { structure, phases, groups, unitsOfGroup } = plan;
    const gain = structure.localWeights
      ? Math.min(inputs.localGain.value, inputs.bestRate.value / inputs.streamRate.value)
      : 1;
    this.rate = (inputs.phaseRate.value * gain * costs.rate) / homes;
    this.handOff = inputs.handOff.value * (structure.localMailboxes ? inputs.localHandOff.value : 1) * costs.handOff;
    this.reduction = reductionTrips * inputs.sharedMemoryTrip.value * costs.reduction;
    this.turnLanes = structure.lanesInTurn ? Math.max(1, Math.floor(groups / turns)) : groups;
    this.open = Array.from({ length: groups }, () => phases.map(() => unitsOfGroup));
    this.ended = Array.from({ length: groups }, () => phases.map(() => 0));
    for (let number = 0; number < groups * unitsOfGroup; number++) this.units.push(this.makeUnit(number));
  }

  run(): Outcome {
    for (const unit of this.units) {
      this.request(unit, 0);
      if (unit.group < this.turnLanes) this.stage(unit, 0, 0);
    }
    for (let next = this.events.pop(); next !== undefined; next = this.events.pop()) {
      const { time, event } = next;
      if (event.kind === 'staged') this.begin(event.unit, event.phase, time);
      else if (event.kind === 'take') this.take(event.unit, time);
      else this.finish(event.unit, time);
    }
    const ends = this.plan.phases.map((_, phase) => Math.max(...this.ended.map((group) => group[phase] ?? 0)));
    const phases = new Map<string, number>();
    this.plan.phases.forEach(({ name }, index) => {
      phases.set(name, (phases.get(name) ?? 0) + (ends[index] ?? 0) - (ends[index - 1] ?? 0));
    });
    return { time: ends.at(-1) ?? 0, bytes: this.bytes, phases };
  }

  private makeUnit(number: number): Unit {
    const { phases, unitsOfGroup } = this.plan;
    const index = number % unitsOfGroup;
    const chunks = phases.flatMap(({ weights }, phase) =>
      cut(weights(index)).map((bytes) => ({ phase, bytes, arrival: 0 })),
    );
    const home = Math.floor((number * homes) / (this.plan.groups * unitsOfGroup));
    const group = Math.floor(number / unitsOfGroup);
    return { group, index, home, chunks, issued: 0, taken: 0, held: 0, lastArrival: 0, phase: 0, staged: Infinity };
  }

  private phase(index: number): Phase {
    const phase = this.plan.phases[index];
    if (phase === undefined) throw new Error(`there is no phase ${index}`);
    return phase;
  }

  /** Asks for the weights that the window, and the look-ahead, have room for. */
  private request(unit: Unit, now: number): void {
    const { window, lookAhead } = this.plan.structure;
    for (let chunk = unit.chunks[unit.issued]; chunk !== undefined; chunk = unit.chunks[unit.issued]) {
      const isAhead = chunk.phase > unit.phase || unit.staged > now;
      if (unit.held + chunk.bytes > (isAhead ? Math.min(window, lookAhead) : window)) return;
      chunk.arrival = this.load(unit, chunk.bytes, now, this.plan.structure.localWeights);
      unit.held += chunk.bytes;
      unit.issued++;
      this.bytes += chunk.bytes;
    }
  }

  /** When bytes asked for now are there. */
  private load(unit: Unit, bytes: number, now: number, isLocal: boolean): number {
    const home = isLocal ? unit.home : pageHome(this.requests++);
    const begin = Math.max(now, this.free[home] ?? 0);
    this.free[home] = begin + bytes / this.rate;
    const served = begin + bytes / this.rate + inputs.loadRestart.value * this.costs.loadRestart;
    unit.lastArrival = Math.max(served, unit.lastArrival + bytes / inputs.unitRate.value);
    return unit.lastArrival;
  }

  /** The input of a phase is there: the unit collects it. */
  private stage(unit: Unit, phase: number, now: number): void {
    const time = (this.phase(phase).staged / inputs.unitRate.value) * this.costs.staging;
    this.events.push(now + time, { kind: 'staged', unit, phase });
  }

  private begin(unit: Unit, phase: number, now: number): void {
    unit.phase = phase;
    unit.staged = now;
    this.request(unit, now);
    const cache = this.phase(phase).cache(unit.index) * this.costs.cache;
    const there = cut(cache).reduce((_, bytes) => this.load(unit, bytes, now, this.plan.structure.localCache), now);
    if (cache > 0) this.events.push(there + this.reduction, { kind: 'done', unit });
    else this.next(unit, now);
  }

  /** The next bytes of the phase, or its end. */
  private next(unit: Unit, now: number): void {
    const chunk = unit.chunks[unit.taken];
    if (chunk?.phase === unit.phase) this.events.push(Math.max(now, chunk.arrival), { kind: 'take', unit });
    else this.events.push(now + this.reduction, { kind: 'done', unit });
  }

  private take(unit: Unit, now: number): void {
    unit.held -= unit.chunks[unit.taken]?.bytes ?? 0;
    unit.taken++;
    this.request(unit, now);
    this.next(unit, now);
  }

  private finish(unit: Unit, now: number): void {
    const { phase, group } = unit;
    const [open, ended] = [this.open[group], this.ended[group]];
    if (open === undefined || ended === undefined) return;
    unit.staged = Infinity;
    open[phase] = (open[phase] ?? 0) - 1;
    ended[phase] = Math.max(ended[phase] ?? 0, now);
    if (open[phase] > 0) return;
    if (phase === 0) this.beginLane(group + this.turnLanes, now + this.handOff);
    this.release(phase, now);
  }

  private beginLane(group: number, now: number): void {
    for (const unit of this.units.filter((unit) => unit.group === group)) this.stage(unit, 0, now);
  }

  /** A lane has ended a phase: lanes whose next phase has all its inputs go on. */
  private release(phase: number, now: number): void {
    for (let group = 0; group < this.plan.groups; group++) {
      for (const next of [phase + 1, this.plan.phases.findIndex(({ past }) => past === phase)])
        this.tryStart(group, next, now);
    }
  }

  private tryStart(group: number, next: number, now: number): void {
    const { phases, groups, unitsOfGroup } = this.plan;
    const phase = phases[next];
    if (phase === undefined || next < 1) return;
    const units = this.units.slice(group * unitsOfGroup, (group + 1) * unitsOfGroup);
    const others = Array.from({ length: groups }, (_, index) => index).filter(
      (index) => phase.meets || index === group,
    );
    const waiting = units[0]?.phase === next - 1 && others.every((index) => this.open[index]?.[next - 1] === 0);
    const pastIsThere = phase.past < 0 || this.open.every((lane) => lane[phase.past] === 0);
    if (!waiting || !pastIsThere) return;
    const sent = phase.past < 0 ? 0 : Math.max(...this.ended.map((lane) => lane[phase.past] ?? 0));
    const link = this.plan.structure.devices > 1 ? this.plan.structure.exchange(phase.staged) * this.costs.exchange : 0;
    const own = Math.max(...others.map((index) => this.ended[index]?.[next - 1] ?? 0));
    const handOff = phase.name === 'embed' ? 0 : this.handOff;
    const ready = Math.max(now, own + handOff + phase.exchange * this.costs.exchange, sent + handOff + link);
    for (const unit of units) {
      unit.phase = next;
      this.stage(unit, next, ready);
    }
  }
}

/** Interleaved pages fall on the homes as if drawn by lot, but alike in each run. */
function pageHome(page: number): number {
  let bits = Math.imul(page + 1, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 15), 0x85ebca6b);
  return (bits ^ (bits >>> 13)) & (homes - 1);
}

function cut(bytes: number): number[] {
  const parts: number[] = [];
  for (let left = bytes; left > 0; left -= pageBytes) parts.push(Math.min(left, pageBytes));
  return parts;
}
