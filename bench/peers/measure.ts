import { BusyProcesses } from './busy';
import { coldCourse, decodeCourse, freshTokens, limitCourse, randomTokens, reusedCourse } from './courses';
import { interleave, type Repeats } from './interleave';
import { Xorshift } from './models/random';
import { engines, weightBytes, type Pairing } from './pairing';
import { cellsOf, ours, type Row } from './rows';

/** How much to measure. */
export interface Effort {
  repeats: Repeats;
  /** Of one decode sample. */
  seconds: number;
  depths: readonly number[];
  coldPrompts: readonly number[];
  reusedPrompts: readonly number[];
  busy: readonly number[];
}

/** Longest time that the busy processes may live; they are ended when the measurement is. */
const busyLimit = 240;

/** Measures all that `effort` asks for on one pairing, and reports each row as it is there. */
export async function measurePairing(pairing: Pairing, effort: Effort, report: (row: Row) => void): Promise<void> {
  const { shape, contenders, handOff } = pairing;
  const source = new Xorshift(1);
  const tokens = (count: number): number[] => randomTokens(source, count, shape.vocabulary);
  const names = { model: shape.title, weights: pairing.formats.title };
  // Through JavaScript llama.cpp is slow enough for a few rows to say so.
  const direct = contenders.filter(({ title }) => title !== engines.node);

  for (const depth of effort.depths) {
    const some = depth === 0 ? contenders : direct;
    const prompt = tokens(Math.max(1, depth));
    const courses = some.map((contender) => decodeCourse(contender, prompt, effort.seconds));
    const limits = pairing.limits.map((contender) => limitCourse(contender, effort.seconds));
    const figures = await interleave([...courses, ...limits], effort.repeats, { handOff });
    const rates = pairing.limits.flatMap((contender) => figures.of.get(contender) ?? []);
    const rate = rates.reduce((first, next) => (next.median > first.median ? next : first));
    const cells = cellsOf(figures.of).filter(({ engine }) => engine !== engines.limit);
    const limit = { rate, bytes: weightBytes(shape, pairing.formats) };
    const measure = { kind: 'decode', depth, busy: 0 } as const;
    report({ ...names, measure, handOff: figures.handOff, cells, limit });
  }
  for (const prompt of effort.coldPrompts) {
    const some = prompt === 512 ? contenders : direct;
    const courses = some.map((contender) => coldCourse(contender, () => tokens(prompt)));
    const figures = await interleave(courses, effort.repeats, { handOff });
    const cells = cellsOf(figures.of);
    report({ ...names, measure: { kind: 'first', prompt, reused: 0 }, handOff: figures.handOff, cells });
  }
  for (const prompt of effort.reusedPrompts) {
    const prefix = tokens(prompt - freshTokens);
    const courses = direct.map((contender) => reusedCourse(contender, prefix, () => tokens(freshTokens)));
    const figures = await interleave(courses, effort.repeats, { handOff });
    const cells = cellsOf(figures.of);
    const whole = [...prefix, ...tokens(freshTokens)];
    const mine = direct.filter(({ title }) => ours.includes(title));
    const decodes = mine.map((contender) => decodeCourse(contender, whole, effort.seconds));
    const decodeAfter = cellsOf((await interleave(decodes, effort.repeats, { handOff, at: figures.handOff })).of);
    const measure = { kind: 'first', prompt, reused: prefix.length } as const;
    report({ ...names, measure, handOff: figures.handOff, cells, decodeAfter });
  }
  for (const busy of effort.busy) await measureBusy(pairing, effort, busy, report);
}

/** Decode with `busy` other processes that want a processor each. */
async function measureBusy(pairing: Pairing, effort: Effort, busy: number, report: (row: Row) => void): Promise<void> {
  const { shape, formats } = pairing;
  const prompt = randomTokens(new Xorshift(2), 1, shape.vocabulary);
  const direct = pairing.contenders.filter(({ title }) => title !== engines.node);
  const courses = direct.map((contender) => decodeCourse(contender, prompt, effort.seconds * 2));
  using others = new BusyProcesses(busy, busyLimit);
  const { of } = await interleave(courses, effort.repeats, { companions: others.pids });
  if (!others.running) throw new Error(`The busy processes ended after ${busyLimit} s, before the measurement did`);
  const measure = { kind: 'decode', depth: 0, busy } as const;
  report({ model: shape.title, weights: formats.title, measure, cells: cellsOf(of) });
}

/** Most memory that each process has held, without what ours held before it loaded anything. */
export function memoryRow({ shape, formats, contenders }: Pairing): Row {
  const cells = contenders.map((contender) => {
    const bytes = contender.peakMemory() - Number(contender.ready['before'] ?? 0);
    const figure = { median: bytes, spread: 0, samples: 1, disturbed: false };
    return { engine: contender.title, threads: contender.threads, figure };
  });
  const needed = contenders.map(({ ready }) => Number(ready['memoryBytes'] ?? 0)).filter((bytes) => bytes > 0);
  const memory = needed.length > 0 ? { memory: Math.max(...needed) } : {};
  return { model: shape.title, weights: formats.title, measure: { kind: 'memory' }, cells, ...memory };
}
