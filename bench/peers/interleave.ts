import { type Contender } from './contender';
import { ForeignLoad } from './processor_time';
import { figureOf, isQuiet, type Figure, type Sample } from './statistics';

/** How one contender is measured once. */
export interface Course {
  contender: Contender;
  /** Does the work and gives the value; the first call is not counted. */
  measure(): Promise<number>;
}

export interface Repeats {
  /** Quiet samples wanted of each course, and the most rounds to get them. */
  wanted: number;
  rounds: number;
}

/**
 * Runs the courses turn by turn, so that a slow minute of the machine hits all of them, and drops samples that other
 * programs disturbed as long as rounds are left. `companions` are processes that belong to the measurement.
 */
export async function interleave(
  courses: readonly Course[],
  repeats: Repeats,
  companions: readonly number[] = [],
): Promise<Map<Contender, Figure>> {
  const samples = new Map<Course, Sample[]>(courses.map((course) => [course, []]));
  for (const course of courses) {
    await course.measure();
    await course.contender.settle();
  }
  for (let round = 0; round < repeats.rounds; round++) {
    for (const course of courses) {
      const taken = samples.get(course) ?? [];
      if (taken.filter(isQuiet).length >= repeats.wanted) continue;
      const load = new ForeignLoad([course.contender.pid, ...companions]);
      const value = await course.measure();
      taken.push({ value, foreign: load.processors() });
      await course.contender.settle();
    }
  }
  return new Map(courses.map((course) => [course.contender, figureOf(samples.get(course) ?? [])]));
}
