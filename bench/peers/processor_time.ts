import * as fs from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Linux counts processor time in hundredths of a second wherever Node runs (USER_HZ). */
export const tickSeconds = 0.01;

/** Ticks that all processors have spent on anything but idling, and on what the host took away. */
function machineTicks(): number {
  const line = fs.readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '';
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, soft = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return user + nice + system + interrupts + soft + steal;
}

/** Ticks that one process has spent with all its threads; 0 when it is gone. */
export function processTicks(pid: number): number {
  let text: string;
  try {
    text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return 0;
  }
  // The program's name, in parentheses, may hold spaces; user and system time are the 12th and 13th field after it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** What the other programs of the machine took while something was measured: in processors, 1 is a whole one. */
export class ForeignLoad {
  private readonly start: number;
  private readonly startTime = performance.now();

  /** `pids`: the processes whose time is not foreign (this one is never). */
  constructor(private readonly pids: readonly number[]) {
    this.start = this.read();
  }

  private read(): number {
    const own = [process.pid, ...this.pids].reduce((sum, pid) => sum + processTicks(pid), 0);
    return machineTicks() - own;
  }

  /** Mean since the start. One tick more or less is rounding: it does not count. */
  processors(): number {
    const seconds = (performance.now() - this.startTime) / 1000;
    return Math.max(0, this.read() - this.start - 1) * (tickSeconds / seconds);
  }
}

/** Waits until a process has stopped spinning after a request, so that it does not slow the next contender; 2 s at most. */
export async function settled(pid: number): Promise<void> {
  for (let i = 0; i < 50; i++) {
    const before = processTicks(pid);
    await delay(40);
    if (processTicks(pid) === before) return;
  }
}
