/** One figure of a table: the median of some samples and how far they spread. */
export interface Figure {
  median: number;
  /** Half of the distance between the quartiles, as a part of the median. */
  spread: number;
  samples: number;
  /** Samples that other programs of the machine disturbed: set when there were too few quiet ones to use alone. */
  disturbed: boolean;
}

export interface Sample {
  value: number;
  /** Processors that other programs took meanwhile. */
  foreign: number;
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

/** The figure of the quiet samples, or of all of them when fewer than three are quiet. */
export function figureOf(samples: readonly Sample[]): Figure {
  const quiet = samples.filter(isQuiet);
  const disturbed = quiet.length < Math.min(fewestQuiet, samples.length);
  const sorted = (disturbed ? samples : quiet).map(({ value }) => value).sort((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  const spread = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2 / median;
  return { median, spread, samples: sorted.length, disturbed };
}
