import { spawn, type ChildProcess } from 'node:child_process';

/** Processes that keep processors busy beside a measurement. Each ends by itself after `seconds`, whatever happens. */
export class BusyProcesses implements Disposable {
  private readonly children: ChildProcess[];

  constructor(count: number, seconds: number) {
    const program = `const end = Date.now() + ${seconds * 1000}; while (Date.now() < end);`;
    this.children = Array.from({ length: count }, () => spawn(process.execPath, ['-e', program], { stdio: 'ignore' }));
  }

  get pids(): number[] {
    return this.children.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  /** False once their time has run out: what was measured since is worthless. */
  get running(): boolean {
    return this.children.every(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  }

  [Symbol.dispose](): void {
    for (const child of this.children) child.kill('SIGKILL');
  }
}
