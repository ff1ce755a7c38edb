import type { GenerateOptions, GenerateStatistics } from '../engine/contract';
import { Detokenizer } from '../models/detokenizer';
import type { LanguageModel } from '../models/language_model';
import { repeatedTail } from '../completion/repetition';
import type { ExplainResult } from '../protocol';
import { explainPrompt, type Selection } from './explain_prompt';

export interface ExplanationObserver {
  started(): void;
  ended(promptTokens: number, outcome: GenerateStatistics | Error): void;
  /** A piece of Markdown. */
  delta(text: string): void;
}

/** Lets the model explain code. Rejects with EngineError, or with ExplainError when this model cannot explain. */
export async function explain(
  model: LanguageModel,
  selection: Selection,
  options: Pick<GenerateOptions, 'maxTokens' | 'speculation'>,
  signal: AbortSignal,
  observer: ExplanationObserver,
): Promise<ExplainResult> {
  const prompt = explainPrompt(model, selection, options.maxTokens);
  const generation = model.engine.generate(prompt, { ...options, stopTokens: model.stopTokens, temperature: 0 });
  const cancel = (): void => {
    generation.cancel();
  };
  signal.addEventListener('abort', cancel);
  if (signal.aborted) cancel();
  observer.started();
  try {
    const { text, repeats } = await write(model, generation, observer);
    const statistics = await generation.done;
    observer.ended(prompt.length, statistics);
    return { text, stopped: signal.aborted ? 'cancelled' : stopped(statistics, repeats) };
  } catch (error) {
    observer.ended(prompt.length, error instanceof Error ? error : new Error(String(error)));
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

async function write(
  model: LanguageModel,
  generation: ReturnType<LanguageModel['engine']['generate']>,
  observer: ExplanationObserver,
): Promise<{ text: string; repeats: boolean }> {
  const ends = new Set(model.stopTokens);
  const detokenizer = new Detokenizer(model.tokenizer);
  const tokens: number[] = [];
  let text = '';
  const append = (piece: string): void => {
    const delta = text === '' ? piece.trimStart() : piece;
    text += delta;
    if (delta !== '') observer.delta(delta);
  };
  let repeats = false;
  for await (const batch of generation) {
    const wanted = batch.map(({ token }) => token).filter((token) => !ends.has(token));
    tokens.push(...wanted);
    append(detokenizer.push(wanted));
    repeats ||= repeatedTail(tokens) > 0;
    if (repeats) generation.cancel();
  }
  append(detokenizer.end());
  return { text, repeats };
}

function stopped({ stop }: GenerateStatistics, repeats: boolean): ExplainResult['stopped'] {
  if (repeats) return 'limit';
  if (stop === 'cancelled') return 'cancelled';
  return stop === 'stopToken' ? 'end' : 'limit';
}
