import { Contender, numberOf } from './contender';
import { type Peers } from './install';

/** Measures how far the machine's first two processors are from each other (`hand_off.cpp`). */
export class HandOff implements AsyncDisposable {
  private constructor(private readonly program: Contender) {}

  static async start(peers: Peers): Promise<HandOff> {
    return new HandOff(await Contender.start('hand-off', 2, [peers.handOff]));
  }

  /** Nanoseconds for a value's way from one to the other; takes some milliseconds. */
  async pass(): Promise<number> {
    return numberOf(await this.program.ask('pass'), 'nanoseconds');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}
