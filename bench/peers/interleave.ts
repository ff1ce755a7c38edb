import { type Contender } from './contender';
import { type HandOff } from './hand_off';
import { ForeignLoad } from './processor_time';
import { figureOf, isQuiet, type Figure, type Sample } from './statistics';
import { commonHandOff, isTakenAt } from './steadiness';

/** How one contender is measured once. */
export interface Course {
  contender: Contender;
  /** Does the work and gives the value; the first call is not counted. */
  measure(): Promise<number>;
}

export interface Repeats {
  /** Quiet samples wanted of each course, all with the processors as far apart, and the most rounds to get them. */
  wanted: number;
  rounds: number;
}

/** What stands beside a measurement. */
export interface Surroundings {
  /** Says how far apart the processors are; without it they are taken to stay where they are. */
  handOff?: HandOff;
  /** Only samples count during which a hand-off took about so many nanoseconds. */
  at?: number | undefined;
  /** Processes that belong to the measurement. */
  companions?: readonly number[];
}

export interface Figures {
  of: ReadonlyMap<Contender, Figure>;
  /** Nanoseconds from one processor to the other while all of them were taken. */
  handOff: number | undefined;
}

/**
 * Runs the courses turn by turn, so that a slow minute of the machine hits all of them. Samples that other programs
 * disturbed, or that were taken with the processors nearer or farther apart than most, are left out as long as rounds
 * are left to take others.
 */
export async function interleave(
  courses: readonly Course[],
  repeats: Repeats,
  surroundings: Surroundings = {},
): Promise<Figures> {
  const samples = courses.map((): Sample[] => []);
  for (const course of courses) {
    await course.measure();
    await course.contender.settle();
  }
  for (let round = 0; round < repeats.rounds; round++) {
    for (const [i, course] of courses.entries()) {
      const taken = samples[i] ?? [];
      const usable = isTakenAt(surroundings.at ?? commonHandOff(samples));
      if (taken.filter((sample) => isQuiet(sample) && usable(sample)).length >= repeats.wanted) continue;
      taken.push(await sampleOf(course, surroundings));
      await course.contender.settle();
    }
  }
  const handOff = surroundings.at ?? commonHandOff(samples);
  const usable = isTakenAt(handOff);
  const figures = courses.map(({ contender }, i) => [contender, figureOf(samples[i] ?? [], usable)] as const);
  return { of: new Map(figures), handOff };
}

async function sampleOf(course: Course, { handOff, companions = [] }: Surroundings): Promise<Sample> {
  const before = await handOff?.pass();
  const load = new ForeignLoad([course.contender.pid, ...companions]);
  const value = await course.measure();
  const foreign = load.processors();
  const after = await handOff?.pass();
  return { value, foreign, ...(before !== undefined && after !== undefined && { handOffs: [before, after] }) };
}
