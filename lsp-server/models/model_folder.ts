import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { isObject, type JsonObject } from './json';

/** A model folder that cannot be used. `code` is stable; `message` names what is wrong and what to do. */
export class ModelFolderError extends Error {
  override readonly name = 'ModelFolderError';
  constructor(
    readonly code: 'notFound' | 'notFolder' | 'missingFile' | 'badFile' | 'unknownFamily' | 'vocabularyMismatch',
    message: string,
  ) {
    super(message);
  }
}

/** A folder in Hugging Face layout whose files are there and readable; the engine checks the weights themselves. */
export interface ModelFolder {
  /** Absolute path. */
  path: string;
  /** For people: the folder's name. */
  name: string;
  config: JsonObject;
  tokenizer: JsonObject;
  tokenizerConfig: JsonObject;
  /** Jinja source, when the model can chat. */
  chatTemplate?: string;
}

const families = new Set(['laneformer_tp', 'laneformer', 'llama', 'qwen2', 'qwen3']);

/** Finds and reads the folder that the settings ask for, or the model that comes with the extension. Throws ModelFolderError. */
export async function openModelFolder(wanted: string, fallback: string): Promise<ModelFolder> {
  const folder = resolveFolder(wanted.trim() === '' ? fallback : wanted.trim());
  await checkFolder(folder);
  const config = await readJson(folder, 'config.json');
  checkFamily(folder, config);
  const tokenizer = await readJson(folder, 'tokenizer.json');
  const tokenizerConfig = (await exists(path.join(folder, 'tokenizer_config.json')))
    ? await readJson(folder, 'tokenizer_config.json')
    : {};
  await checkWeights(folder);
  const chatTemplate = await readChatTemplate(folder, tokenizerConfig);
  return {
    path: folder,
    name: path.basename(folder),
    config,
    tokenizer,
    tokenizerConfig,
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
  };
}

function resolveFolder(wanted: string): string {
  const expanded = wanted === '~' || /^~[\\/]/.test(wanted) ? path.join(homedir(), wanted.slice(1)) : wanted;
  return path.resolve(expanded);
}

async function checkFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (!found) {
    throw new ModelFolderError(
      'notFound',
      `The model folder ${folder} does not exist. Set monokernel.model.path to a folder with config.json, tokenizer.json and *.safetensors.`,
    );
  }
  if (!found.isDirectory()) {
    throw new ModelFolderError(
      'notFolder',
      `${folder} is a file. Set monokernel.model.path to the folder that holds config.json, tokenizer.json and *.safetensors.`,
    );
  }
}

function checkFamily(folder: string, config: JsonObject): void {
  const family = config['model_type'];
  if (typeof family !== 'string' || !families.has(family)) {
    const found = typeof family === 'string' ? `"${family}"` : 'no model_type';
    throw new ModelFolderError(
      'unknownFamily',
      `${path.join(folder, 'config.json')} says ${found}. Monokernel runs ${[...families].join(', ')}.`,
    );
  }
}

/** Every shard that the index names, or the single file, must be there and not empty. */
async function checkWeights(folder: string): Promise<void> {
  const index = path.join(folder, 'model.safetensors.index.json');
  if (await exists(path.join(folder, 'model.safetensors'))) return;
  if (!(await exists(index))) {
    throw new ModelFolderError(
      'missingFile',
      `${folder} has no model.safetensors and no model.safetensors.index.json. Weights in other formats must be converted to safetensors.`,
    );
  }
  const map = (await readJson(folder, 'model.safetensors.index.json'))['weight_map'];
  if (!isObject(map)) throw new ModelFolderError('badFile', `${index} has no weight_map. Download the file again.`);
  for (const shard of new Set(Object.values(map))) {
    const size = typeof shard === 'string' ? await fileSize(path.join(folder, shard)) : 0;
    if (size === 0) {
      throw new ModelFolderError(
        'missingFile',
        `${index} names ${String(shard)}, which is missing or empty. Download the whole model again.`,
      );
    }
  }
}

async function readChatTemplate(folder: string, tokenizerConfig: JsonObject): Promise<string | undefined> {
  const inConfig = tokenizerConfig['chat_template'];
  if (typeof inConfig === 'string') return inConfig;
  if (Array.isArray(inConfig)) {
    const named: unknown = inConfig.find((entry: unknown) => isObject(entry) && entry['name'] === 'default');
    if (isObject(named) && typeof named['template'] === 'string') return named['template'];
  }
  const file = path.join(folder, 'chat_template.jinja');
  return (await exists(file)) ? await readFile(file, 'utf8') : undefined;
}

async function readJson(folder: string, name: string): Promise<JsonObject> {
  const file = path.join(folder, name);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new ModelFolderError(
        'missingFile',
        `${folder} has no ${name}. It is not a whole Hugging Face model folder.`,
      );
    }
    throw new ModelFolderError('badFile', `${file} cannot be read: ${(error as Error).message}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ModelFolderError(
      'badFile',
      `${file} is not valid JSON (${(error as Error).message}). Download it again.`,
    );
  }
  if (!isObject(value)) throw new ModelFolderError('badFile', `${file} is not a JSON object. Download it again.`);
  return value;
}

const exists = async (file: string): Promise<boolean> => (await fileSize(file)) > 0;

const fileSize = async (file: string): Promise<number> =>
  stat(file).then(
    (found) => (found.isFile() ? found.size : 0),
    () => 0,
  );
