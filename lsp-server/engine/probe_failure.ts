import { constants } from 'node:os';
import { EngineError } from './contract';

/** How a process that was to load the addon ended without an answer. */
export interface ProcessEnd {
  status: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

/** Windows ends a process with the exception's number instead of a signal. */
const WINDOWS_EXCEPTIONS = new Map<number | null, NodeJS.Signals>([
  [0xc000001d, 'SIGILL'],
  [0xc0000005, 'SIGSEGV'],
]);

const REBUILD = 'Install the extension for this platform, or build it on this machine in a clone of its repository.';

export function missingAddon(addon: string): EngineError {
  return new EngineError(
    'addonMissing',
    `The engine's addon ${addon} is missing: the extension was packaged for another platform than ${platform()}, ` +
      `or, in a clone of its repository, not built yet. ${REBUILD}`,
  );
}

/** What the system's loader said when it could not load the addon, as an error that says what to do. */
export function loadFailure(addon: string, message: string): EngineError {
  const missingVersion = /version [`'](\w+_[\d.]+)' not found/.exec(message)?.[1];
  if (missingVersion) {
    return new EngineError(
      'addonSystemTooOld',
      `The engine's addon needs ${missingVersion}, which this system's C library is too old for. ${REBUILD}`,
    );
  }
  const missingLibrary = /(\S+): cannot open shared object file/.exec(message)?.[1];
  if (missingLibrary !== undefined && missingLibrary !== addon) {
    return new EngineError(
      'addonLibraryMissing',
      `The engine's addon needs the library ${missingLibrary}, which this system does not have; install it.`,
    );
  }
  return new EngineError(
    'addonUnusable',
    `${addon} is not an addon that ${platform()} can load (${firstLine(message)}). ${REBUILD}`,
  );
}

/** A process that ended without saying anything: a signal, or an exit in the middle. */
export function crashed(addon: string, end: ProcessEnd): EngineError {
  const signal = end.signal ?? WINDOWS_EXCEPTIONS.get(end.status) ?? null;
  const said = end.stderr.trim();
  const how = signal
    ? `was ended by ${signal} (${constants.signals[signal]})`
    : `exited with ${end.status ?? 'nothing'}`;
  const why = signal === 'SIGILL' ? ': this processor lacks an instruction that it was built with' : '';
  const last = said ? ` Its last words: ${said.slice(-500)}` : '';
  return new EngineError(
    'addonCrashed',
    `The engine's addon ${addon}, tried in a process of its own, ${how}${why}. ${REBUILD}${last}`,
  );
}

export function timedOut(addon: string, milliseconds: number): EngineError {
  return new EngineError(
    'addonTimeout',
    `The engine's addon ${addon} gave no answer within ${milliseconds / 1000} s; a graphics driver that hangs is the ` +
      'usual reason. Check it (rocm-smi, nvidia-smi), then restart the server.',
  );
}

function platform(): string {
  return `${process.platform}-${process.arch}`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
