/** One figure of a table: the median of some samples and how far they spread. */
export interface Figure {
  median: number;
  /** Half of the distance between the quartiles, as a part of the median. */
  spread: number;
  samples: number;
  /** Samples that were disturbed: set when there were too few others to use alone. */
  disturbed: boolean;
}

export interface Sample {
  value: number;
  /** Processors that other programs took meanwhile. */
  foreign: number;
  /** Nanoseconds from one processor to the other before and after it, where they were measured. */
  handOffs?: readonly [number, number];
}

/** More of other programs than this, in processors, disturbs a sample. */
export const quietLimit = 0.06;
const fewestQuiet = 3;

export function quantile(sorted: readonly number[], part: number): number {
  const place = (sorted.length - 1) * part;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? below;
  return below + (above - below) * (place - Math.floor(place));
}

export const isQuiet = (sample: Sample): boolean => sample.foreign <= quietLimit;

/** The figure of the quiet samples that are usable, or of all of them when those are fewer than three. */
export function figureOf(samples: readonly Sample[], isUsable: (sample: Sample) => boolean = () => true): Figure {
  const quiet = samples.filter((sample) => isQuiet(sample) && isUsable(sample));
  const disturbed = quiet.length < Math.min(fewestQuiet, samples.length);
  const sorted = (disturbed ? samples : quiet).map(({ value }) => value).sort((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  const spread = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2 / median;
  return { median, spread, samples: sorted.length, disturbed };
}
