import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import path from 'node:path';
import type { MeasuredGpu } from '../protocol';
import type { ProbeResult } from './addon';
import { EngineError } from './contract';
import type { ProcessEnd } from './probe_failure';
import { crashed, loadFailure, missingAddon, timedOut } from './probe_failure';

/** Longest time a probe may take; the drivers of large machines need seconds to start. */
const PROBE_TIMEOUT_MS = 30_000;

/** Stands before the child's answer, since drivers may print to stdout as well. */
const ANSWER_MARK = 'monokernel-probe:';

/** Longest time a calibration may take: it visits some thousand pages of each GPU. */
const CALIBRATION_TIMEOUT_MS = 300_000;

/**
 * What the child runs; its arguments are the addon, the function to call and what to call it with. Given to `-e`, so it
 * needs no file beside the bundle.
 */
const CALL_SCRIPT = `
let answer;
try {
  const [, addon, name, ...given] = process.argv;
  const called = require(addon)[name];
  answer = typeof called === 'function' ? { result: called(...given) } : { error: 'it has no ' + name + ' function' };
} catch (error) {
  answer = { error: String((error && error.message) || error) };
}
require('node:fs').writeSync(1, '\\n${ANSWER_MARK}' + JSON.stringify(answer) + '\\n');
`;

type Answer = { result: unknown } | { error: string };

/**
 * Loads the addon in a child process and lets it look at the machine, so that a crash there (a missing instruction, a
 * broken driver) is a message here. `workers` of the CPU are looked for on its cores; 0: one for each. Rejects with
 * EngineError.
 */
export async function probeAddon(addon: string, workers = 0, timeout = PROBE_TIMEOUT_MS): Promise<ProbeResult> {
  return (await callAddon(addon, ['probe', String(workers)], timeout)) as ProbeResult;
}

/**
 * Measures each GPU's memory in a child process, which `signal` ends, and keeps the results for this user. Rejects with
 * EngineError.
 */
export async function calibrateGpus(addon: string, signal?: AbortSignal): Promise<MeasuredGpu[]> {
  const kernels = path.join(path.dirname(addon), '..', 'kernels');
  return (await callAddon(addon, ['calibrate', kernels], CALIBRATION_TIMEOUT_MS, signal)) as MeasuredGpu[];
}

async function callAddon(addon: string, call: string[], timeout: number, signal?: AbortSignal): Promise<unknown> {
  try {
    await access(addon);
  } catch {
    throw missingAddon(addon);
  }
  const { stdout, end } = await runChild(addon, call, timeout, signal);
  if (signal?.aborted === true) throw new EngineError('cancelled', 'Stopped.');
  const answer = readAnswer(stdout);
  if (!answer) throw crashed(addon, end);
  if ('error' in answer) throw loadFailure(addon, answer.error);
  return answer.result;
}

function runChild(
  addon: string,
  call: string[],
  timeout: number,
  stop?: AbortSignal,
): Promise<{ stdout: string; end: ProcessEnd }> {
  const environment: NodeJS.ProcessEnv = { ...process.env, ELECTRON_RUN_AS_NODE: '1' };
  delete environment['NODE_OPTIONS']; // a debugger's options would make the child wait for it
  const child = spawn(process.execPath, ['-e', CALL_SCRIPT, addon, ...call], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  stop?.addEventListener('abort', kill);
  if (stop?.aborted === true) kill();
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      // Not left to 'close': a process that the child started may hold its pipes.
      child.stdout.destroy();
      child.stderr.destroy();
      reject(timedOut(addon, timeout));
    }, timeout);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new EngineError('internal', `The probe of ${addon} cannot be started: ${error.message}`));
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      stop?.removeEventListener('abort', kill);
      resolve({ stdout, end: { status, signal, stderr } });
    });
  });
}

function readAnswer(stdout: string): Answer | undefined {
  const line = stdout.split('\n').findLast((text) => text.startsWith(ANSWER_MARK));
  return line === undefined ? undefined : (JSON.parse(line.slice(ANSWER_MARK.length)) as Answer);
}
