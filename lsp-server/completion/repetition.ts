/** A model that has lost its way says the same again and again. Shortest repeated stretch for each longest period, in tokens. */
const stretches = [
  { period: 1, length: 10 },
  { period: 4, length: 24 },
  { period: 10, length: 36 },
  { period: 20, length: 60 },
] as const;

/** How many tokens at the end only repeat what stands before them; 0 if they do not. */
export function repeatedTail(tokens: readonly number[]): number {
  for (const { period: longest, length } of stretches) {
    for (let period = 1; period <= longest; period += 1) {
      const repeated = periodicTail(tokens, period);
      if (repeated + period >= length) return repeated;
    }
  }
  return 0;
}

function periodicTail(tokens: readonly number[], period: number): number {
  let repeated = 0;
  for (let i = tokens.length - 1; i >= period && tokens[i] === tokens[i - period]; i -= 1) repeated += 1;
  return repeated;
}

/** Lines that say something: not just brackets and punctuation. */
const saysSomething = /\p{L}/u;

/** The length of the text before a line comes for the third time in a row (counting it once); undefined if none does. */
export function repeatedLinesStart(text: string): number | undefined {
  let offset = 0;
  let first = 0;
  let repeats = 0;
  let previous: string | undefined;
  for (const line of text.split('\n')) {
    if (line === previous && saysSomething.test(line)) {
      repeats += 1;
      if (repeats === 2) return first;
    } else {
      repeats = 0;
      first = offset + line.length;
    }
    previous = line;
    offset += line.length + 1;
  }
  return undefined;
}
