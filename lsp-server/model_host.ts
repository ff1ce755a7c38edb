import { EngineError, type Engine, type EngineOptions } from './engine/contract';
import { joinModel, readModelText, type LanguageModel } from './models/language_model';
import { openModelFolder, type ModelFolder } from './models/model_folder';
import type { InitializationOptions, Settings, StatusParams } from './protocol';

/** Loads an engine: the real one in the product. Rejects with EngineError. */
export type EngineLoader = (request: {
  addon: string;
  folder: string;
  options: EngineOptions;
  onProgress: (fraction: number) => void;
}) => Promise<Engine>;

/** KV cache sequences: two files that one works on by turns, and an explanation. */
const slots = 3;

/** Prompts are never longer than this, so the KV cache need not be. */
const longestContext = 8192;

/** Keeps the model that the settings ask for: loads it without blocking, replaces it, and frees it. */
export class ModelHost {
  /** The model, while one is loaded. */
  current: LanguageModel | undefined;
  /** Counts loads, so that one that is overtaken by another notices. */
  private generation = 0;
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly places: Pick<InitializationOptions, 'addon' | 'defaultModel'>,
    private readonly loadEngine: EngineLoader,
    private readonly onState: (state: StatusParams) => void,
    private readonly onModel: (model: LanguageModel | undefined) => void,
  ) {}

  /** Replaces the model by the one of the settings. Never rejects: what goes wrong becomes the state. */
  load(settings: Settings): Promise<void> {
    const generation = ++this.generation;
    this.work = this.work.then(() => this.replace(settings, generation));
    return this.work;
  }

  /** After a change of settings that needs no other model: says anew what of them the engine does not do. */
  retell(settings: Settings): Promise<void> {
    const { generation } = this;
    this.work = this.work.then(() => {
      if (this.current && generation === this.generation) this.tellReady(this.current, settings);
    });
    return this.work;
  }

  /**
   * Frees the engine while `action` runs, which wants the devices for itself, and then loads the model of the settings
   * there are by then. Settles as `action` does.
   */
  apart<Result>(settings: () => Settings, action: () => Promise<Result>): Promise<Result> {
    const generation = ++this.generation;
    const acted = this.work.then(async () => {
      this.onState({ state: 'loading', progress: 0 });
      await this.unload();
      return action();
    });
    const replace = (): Promise<void> => this.replace(settings(), generation);
    this.work = acted.then(replace, replace);
    return acted;
  }

  /** Frees the engine; nothing is loaded any more. */
  dispose(): Promise<void> {
    this.generation += 1;
    this.work = this.work.then(() => this.unload());
    return this.work;
  }

  private async replace(settings: Settings, generation: number): Promise<void> {
    const overtaken = (): boolean => generation !== this.generation;
    if (overtaken()) return;
    this.onState({ state: 'loading', progress: 0 });
    let name: string | undefined;
    try {
      await this.unload();
      const folder = await openModelFolder(settings.model.path, this.places.defaultModel);
      name = folder.name;
      const text = readModelText(folder);
      const engine = await this.loadEngine({
        addon: this.places.addon,
        folder: folder.path,
        options: engineOptions(settings, folder),
        onProgress: (progress) => {
          if (!overtaken()) this.onState({ state: 'loading', progress, model: folder.name });
        },
      });
      const model = joinModel(folder, text, engine);
      this.current = model;
      if (overtaken()) return;
      this.checkVocabulary(model);
      this.onModel(model);
      this.tellReady(model, settings);
    } catch (error) {
      await this.unload();
      const message = error instanceof Error ? error.message : String(error);
      if (!overtaken()) this.onState({ state: 'error', message, ...(name === undefined ? {} : { model: name }) });
    }
  }

  private tellReady({ name, engine }: LanguageModel, settings: Settings): void {
    this.onState({ state: 'ready', model: name, engine: engine.model.description, ...choicesOf(engine, settings) });
  }

  private checkVocabulary({ name, tokenizer, engine }: LanguageModel): void {
    if (tokenizer.vocabularySize <= engine.model.vocabularySize) return;
    throw new EngineError(
      'vocabularyMismatch',
      `${name}: tokenizer.json has ${tokenizer.vocabularySize} tokens, the weights only ${engine.model.vocabularySize}. The files belong to different models.`,
    );
  }

  private async unload(): Promise<void> {
    const model = this.current;
    if (!model) return;
    this.current = undefined;
    this.onModel(undefined);
    await model.engine.dispose();
  }
}

/** Why the engine runs as it does, and what of the settings it does not do. */
function choicesOf({ model }: Engine, settings: Settings): Pick<StatusParams, 'reason' | 'warnings'> {
  const { precision, speculation } = settings;
  const reasons = [model.deviceReason, model.precisionReason && `precision ${model.precisionReason}`];
  const reason = reasons.filter((part) => part !== undefined && part !== '').join('; ');
  const warnings: string[] = [];
  if (precision === 'int8' && model.precision === 'stored' && model.precisionReason)
    warnings.push(`monokernel.precision: ${model.precisionReason}.`);
  if (speculation !== 'off' && model.speculates === false)
    warnings.push('monokernel.speculation: only the CPU engine speculates; this one decodes token by token.');
  return { ...(reason === '' ? {} : { reason }), ...(warnings.length > 0 ? { warnings } : {}) };
}

function engineOptions(settings: Settings, folder: ModelFolder): EngineOptions {
  const limit = folder.config['max_position_embeddings'];
  return {
    device: settings.engine,
    precision: settings.precision,
    threads: settings.threads,
    slots,
    contextLength: typeof limit === 'number' ? Math.min(limit, longestContext) : 0,
  };
}
