import { isObject, type JsonObject } from './models/json';
import type { Settings } from './protocol';
import { targetsInOrder } from './topology/choice';

export const defaultSettings: Settings = {
  enable: true,
  languages: { '*': true },
  model: { path: '' },
  engine: 'auto',
  precision: 'auto',
  speculation: 'off',
  threads: 0,
  completion: { maxTokens: 96, showDelay: 0, mode: 'auto' },
  explain: { maxTokens: 256 },
};

/** The values of the settings that are a choice. */
const choices = {
  engine: ['auto', 'cpu', ...targetsInOrder],
  precision: ['auto', 'bf16', 'int8'],
  speculation: ['off', 'promptLookup'],
  mode: ['auto', 'line', 'block'],
} as const;

/** Settings from what an editor sent, section or whole; what is missing or of the wrong kind keeps its default. */
export function readSettings(sent: unknown): Settings {
  const section = sectionOf(sent);
  const { completion, explain, model } = defaultSettings;
  const sentCompletion = objectOf(section, 'completion');
  return {
    enable: booleanOf(section, 'enable', defaultSettings.enable),
    languages: languagesOf(section),
    model: { path: stringOf(objectOf(section, 'model'), 'path', model.path) },
    engine: choiceOf(section, 'engine', choices.engine, defaultSettings.engine),
    precision: choiceOf(section, 'precision', choices.precision, defaultSettings.precision),
    speculation: choiceOf(section, 'speculation', choices.speculation, defaultSettings.speculation),
    threads: integerOf(section, 'threads', 0, 1024, defaultSettings.threads),
    completion: {
      maxTokens: integerOf(sentCompletion, 'maxTokens', 1, 2048, completion.maxTokens),
      showDelay: integerOf(sentCompletion, 'showDelay', 0, 10_000, completion.showDelay),
      mode: choiceOf(sentCompletion, 'mode', choices.mode, completion.mode),
    },
    explain: { maxTokens: integerOf(objectOf(section, 'explain'), 'maxTokens', 1, 8192, explain.maxTokens) },
  };
}

/** For each choice that was sent and does not exist, what is done instead. */
export function settingProblems(sent: unknown): string[] {
  const section = sectionOf(sent);
  const found = [
    problemOf(section, 'engine', choices.engine, 'monokernel.engine'),
    problemOf(section, 'precision', choices.precision, 'monokernel.precision'),
    problemOf(section, 'speculation', choices.speculation, 'monokernel.speculation'),
    problemOf(objectOf(section, 'completion'), 'mode', choices.mode, 'monokernel.completion.mode'),
  ];
  return found.filter((problem) => problem !== undefined);
}

function problemOf(from: JsonObject, key: string, known: readonly string[], name: string): string | undefined {
  const value = from[key];
  if (value === undefined || known.some((choice) => choice === value)) return undefined;
  return `${name} is ${JSON.stringify(value)}, but must be one of ${known.join(', ')}; "${known[0] ?? ''}" is used.`;
}

/** Whether a change needs the engine to be loaded again. */
export function needsReload(before: Settings, after: Settings): boolean {
  return (
    before.model.path !== after.model.path ||
    before.engine !== after.engine ||
    before.precision !== after.precision ||
    before.threads !== after.threads
  );
}

function sectionOf(sent: unknown): JsonObject {
  const outer = isObject(sent) ? sent : {};
  return isObject(outer['monokernel']) ? outer['monokernel'] : outer;
}

function objectOf(from: JsonObject, key: string): JsonObject {
  const value = from[key];
  return isObject(value) ? value : {};
}

function languagesOf(from: JsonObject): Record<string, boolean> {
  const entries = Object.entries(objectOf(from, 'languages'));
  const flags = entries.filter((entry): entry is [string, boolean] => typeof entry[1] === 'boolean');
  return { ...defaultSettings.languages, ...Object.fromEntries(flags) };
}

const booleanOf = (from: JsonObject, key: string, otherwise: boolean): boolean =>
  typeof from[key] === 'boolean' ? from[key] : otherwise;

const stringOf = (from: JsonObject, key: string, otherwise: string): string =>
  typeof from[key] === 'string' ? from[key] : otherwise;

function integerOf(from: JsonObject, key: string, least: number, most: number, otherwise: number): number {
  const value = from[key];
  if (typeof value !== 'number' || !Number.isFinite(value)) return otherwise;
  return Math.min(most, Math.max(least, Math.round(value)));
}

function choiceOf<Choice extends string>(
  from: JsonObject,
  key: string,
  choices: readonly Choice[],
  otherwise: Choice,
): Choice {
  return choices.find((choice) => choice === from[key]) ?? otherwise;
}
