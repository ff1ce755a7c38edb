import path from 'node:path';
import { Completer } from './completion/completer';
import type { CursorContext } from './completion/cursor_context';
import { completionExtent } from './completion/policy';
import { fitToDocument } from './completion/post_process';
import type { GenerateStatistics } from './engine/contract';
import { nativeLoader } from './engine_loader';
import { ModelHost } from './model_host';
import type { LanguageModel } from './models/language_model';
import type { Settings, StatusParams } from './protocol';

/** One completion and what it took. */
export interface OneCompletion {
  linePrefix: string;
  /** Empty if there is nothing to offer. */
  text: string;
  /** Characters right of the cursor that the text replaces. */
  replaced: number;
  model: string;
  engine: string;
  /** Settings that could not be followed, and what was done instead. */
  warnings: string[];
  /** From the request to the text, in milliseconds. */
  milliseconds: number;
  statistics: GenerateStatistics & { promptTokens: number };
}

/** The program lies in dist/, beside native/ and models/. */
const root = path.join(__dirname, '..');
const places = {
  addon: path.join(root, 'native', 'prebuilds', `${process.platform}-${process.arch}`, 'monokernel.node'),
  defaultModel: path.join(root, 'models', 'laneformer-nano'),
};

/** Loads the model, completes one place as if the person had asked for it, and frees the model. */
export async function completeOnce(context: CursorContext, settings: Settings): Promise<OneCompletion> {
  let state: StatusParams = { state: 'loading' };
  const host = new ModelHost(
    places,
    nativeLoader,
    (now) => {
      state = now;
    },
    () => undefined,
  );
  try {
    await host.load(settings);
    if (!host.current) throw new Error(state.message ?? 'The model cannot be loaded.');
    return { ...(await complete(host.current, context, settings)), warnings: state.warnings ?? [] };
  } finally {
    await host.dispose();
  }
}

async function complete(
  model: LanguageModel,
  context: CursorContext,
  settings: Settings,
): Promise<Omit<OneCompletion, 'warnings'>> {
  const extent = completionExtent(context, settings, 'invoked');
  if (extent === undefined) throw new Error(`Completion is off for ${context.languageId}.`);
  let promptTokens = 0;
  const completer = new Completer(model, {
    started: () => undefined,
    ended: (tokens) => {
      promptTokens = tokens;
    },
  });
  const started = performance.now();
  const {
    speculation,
    completion: { maxTokens },
  } = settings;
  const request = { context, extent, maxTokens, speculation };
  const found = await completer.complete(request, new AbortController().signal);
  const milliseconds = performance.now() - started;
  if (!found) throw new Error('The request was cancelled.');
  const completion = fitToDocument(found.text, context, found.stream.whole);
  const statistics = await found.stream.statistics;
  return {
    linePrefix: context.linePrefix,
    text: completion?.text ?? '',
    replaced: completion?.swallowed ?? 0,
    model: model.name,
    engine: model.engine.model.description,
    milliseconds,
    statistics: { ...statistics, promptTokens },
  };
}
