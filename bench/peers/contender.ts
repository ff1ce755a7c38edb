import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { settled } from './processor_time';

/** Longest time for one answer; prompts of 1,800 tokens on the largest model take under a minute. */
const answerLimit = 180_000;

export type Answer = Record<string, unknown>;

export class ContenderError extends Error {
  override readonly name = 'ContenderError';
}

/** One engine with one model and one number of threads, in a process of its own that answers requests line by line. */
export class Contender implements AsyncDisposable {
  private readonly lines: AsyncIterator<string>;
  private readonly reader: Interface;
  private errors = '';
  private closed = false;

  private constructor(
    readonly title: string,
    readonly threads: number,
    private readonly child: ChildProcess,
  ) {
    if (!child.stdout || !child.stderr) throw new ContenderError(`${title} has no pipes`);
    this.reader = createInterface({ input: child.stdout });
    this.lines = this.reader[Symbol.asyncIterator]();
    child.stderr.on('data', (text: Buffer) => {
      this.errors = (this.errors + text.toString('utf8')).slice(-2000);
    });
    // A contender that died closes its pipes, which the next answer reports.
    child.stdin?.on('error', () => undefined);
  }

  /** Starts the program and waits for its first line: the model is loaded. */
  static async start(title: string, threads: number, command: readonly string[]): Promise<Contender> {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    child.on('error', () => undefined);
    const contender = new Contender(title, threads, child);
    try {
      contender.ready = await contender.answer();
    } catch (error) {
      await contender[Symbol.asyncDispose]();
      throw error;
    }
    await contender.settle();
    return contender;
  }

  /** What the program said when it was ready. */
  ready: Answer = {};

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async ask(request: string): Promise<Answer> {
    this.child.stdin?.write(`${request}\n`);
    return await this.answer();
  }

  private async answer(): Promise<Answer> {
    const expired = AbortSignal.timeout(answerLimit);
    const late = new Promise<never>((_, reject) => {
      expired.addEventListener('abort', () => {
        reject(new ContenderError(`${this.title} gave no answer within ${answerLimit / 1000} s`));
      });
    });
    const line = await Promise.race([this.lines.next(), late]);
    if (line.done === true)
      throw new ContenderError(`${this.title} ended early: ${this.errors.trim() || 'no message'}`);
    return JSON.parse(line.value) as Answer;
  }

  async settle(): Promise<void> {
    await settled(this.pid);
  }

  /** Most memory that the process has held, in bytes. */
  peakMemory(): number {
    const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  }

  /** Ends the process: kindly, then by force after a second. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.reader.close();
    if (this.child.pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin?.end();
    const force = setTimeout(() => this.child.kill('SIGKILL'), 1000);
    await ended;
    clearTimeout(force);
  }
}

/** A number of an answer. */
export function numberOf(answer: Answer, key: string): number {
  const value = answer[key];
  if (typeof value !== 'number')
    throw new ContenderError(`The answer has no number "${key}": ${JSON.stringify(answer)}`);
  return value;
}

/** A list of numbers of an answer. */
export function numbersOf(answer: Answer, key: string): number[] {
  const value = answer[key];
  if (!Array.isArray(value)) throw new ContenderError(`The answer has no list "${key}": ${JSON.stringify(answer)}`);
  return value.map(Number);
}
