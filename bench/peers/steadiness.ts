import { isQuiet, quantile, type Sample } from './statistics';

/**
 * Hand-offs that differ by less than this factor are of processors that lie alike. On an AMD EPYC of family 26 a value
 * takes 38 to 70 ns within an L3 and 180 to 230 ns from one L3 to another.
 */
const alike = 2;

/** Whether a sample was taken while a hand-off took about `common`, before it and after it; all are when none is known. */
export function isTakenAt(common: number | undefined): (sample: Sample) => boolean {
  return ({ handOffs }) =>
    common === undefined ||
    handOffs === undefined ||
    handOffs.every((time) => time < common * alike && common < time * alike);
}

/**
 * Of all courses' samples the hand-off, in nanoseconds, at which the course with the fewest quiet samples has the most,
 * then at which all together have the most; undefined where none was measured.
 */
export function commonHandOff(courses: readonly (readonly Sample[])[]): number | undefined {
  const quiet = courses.map((samples) => samples.filter(isQuiet));
  const at = (time: number) => quiet.map((samples) => samples.filter(isTakenAt(time)));
  const scored = quiet
    .flat()
    .flatMap(({ handOffs }) => handOffs ?? [])
    .map((time) => {
      const counts = at(time).map(({ length }) => length);
      return { time, fewest: Math.min(...counts), all: counts.reduce((sum, count) => sum + count, 0) };
    })
    .sort((a, b) => b.fewest - a.fewest || b.all - a.all);
  const [best] = scored;
  if (!best) return undefined;
  const times = at(best.time)
    .flat()
    .flatMap(({ handOffs }) => handOffs ?? []);
  return quantile(
    times.sort((a, b) => a - b),
    0.5,
  );
}
