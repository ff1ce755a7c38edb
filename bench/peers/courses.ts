import { ContenderError, numberOf, type Contender } from './contender';
import { type Course } from './interleave';
import { type Xorshift } from './models/random';

/** Tokens that a request with a reused prefix adds to it. */
export const freshTokens = 20;

/** Random ordinary tokens. */
export function randomTokens(source: Xorshift, count: number, vocabulary: number): number[] {
  return Array.from({ length: count }, () => source.below(vocabulary));
}

const request = (command: string, numbers: readonly number[]): string => [command, ...numbers].join(' ');

/** Decoded tokens a second after `prompt`, over about `seconds`. */
export function decodeCourse(contender: Contender, prompt: readonly number[], seconds: number): Course {
  let count = 8;
  return {
    contender,
    async measure() {
      const answer = await contender.ask(request('decode', [count, ...prompt]));
      const rate = numberOf(answer, 'count') / numberOf(answer, 'seconds');
      count = Math.round(Math.min(256, Math.max(8, rate * seconds)));
      return rate;
    },
  };
}

/** Milliseconds to the first token of a new prompt each time. */
export function coldCourse(contender: Contender, makePrompt: () => number[]): Course {
  return {
    contender,
    async measure() {
      const answer = await contender.ask(request('first', makePrompt()));
      if (numberOf(answer, 'reused') > 4) throw new ContenderError(`${contender.title} reused part of a new prompt`);
      return numberOf(answer, 'seconds') * 1000;
    },
  };
}

/** Milliseconds to the first token of a prompt that differs from the one before only in its last tokens. */
export function reusedCourse(contender: Contender, prefix: readonly number[], makeEnd: () => number[]): Course {
  let primed = false;
  return {
    contender,
    async measure() {
      const answer = await contender.ask(request('first', [...prefix, ...makeEnd()]));
      // A token of two random ends may be the same by chance.
      if (primed && Math.abs(numberOf(answer, 'reused') - prefix.length) > 4) {
        throw new ContenderError(`${contender.title} reused ${numberOf(answer, 'reused')} of ${prefix.length} tokens`);
      }
      primed = true;
      return numberOf(answer, 'seconds') * 1000;
    },
  };
}

/** Gigabytes a second that threads read which do nothing else. */
export function limitCourse(contender: Contender, seconds: number): Course {
  return {
    contender,
    async measure() {
      const answer = await contender.ask(request('read', [seconds]));
      return numberOf(answer, 'bytes') / numberOf(answer, 'seconds') / 1e9;
    },
  };
}
