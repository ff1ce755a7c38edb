import type { GenerateStatistics, Speculation } from '../engine/contract';
import type { LanguageModel } from '../models/language_model';
import { CompletionStream } from './completion_stream';
import type { CursorContext } from './cursor_context';
import type { Extent } from './policy';
import { buildPrompt, promptBudget } from './prompt';
import { PromptLength } from './prompt_length';
import { mayStillFit, remainder } from './reuse';
import { stopRule } from './stop';

/** Finished completions that are kept, so that going back, or on, in a text costs nothing. */
const cachedCompletions = 50;

/** How long a completion that nobody waits for goes on: the next keystroke may want the rest of it. Milliseconds. */
const orphanTime = 300;

/** A place to complete. */
export interface CompletionRequest {
  context: CursorContext;
  extent: Extent;
  maxTokens: number;
  speculation: Speculation;
}

export interface CompletionObserver {
  /** The engine began to write, with a prompt of this many tokens. */
  started(): void;
  /** The engine is done with it. */
  ended(promptTokens: number, outcome: GenerateStatistics | Error): void;
}

/** What a request found: the stream that answers it, and the part of its text that is not typed yet. */
export interface Found {
  stream: CompletionStream;
  text: string;
}

/**
 * Completes one place at a time with one model: the newest request wins. What the person types through goes on with the
 * same generation; the engine stops as soon as they differ.
 */
export class Completer {
  private current: CompletionStream | undefined;
  private waiting = 0;
  private orphanTimer: NodeJS.Timeout | undefined;
  private finished: CompletionStream[] = [];
  private readonly promptLength = new PromptLength();

  constructor(
    private readonly model: LanguageModel,
    private readonly observer: CompletionObserver,
  ) {}

  /** The completion at a place; undefined when the signal aborts or a newer request wins. Rejects with EngineError. */
  async complete(request: CompletionRequest, signal: AbortSignal): Promise<Found | undefined> {
    while (!signal.aborted) {
      const stream = this.known(request) ?? this.start(request);
      const outcome = await this.follow(stream, request.context, signal);
      if (outcome === 'gone') return undefined;
      const text = remainder(stream, request.context);
      if (outcome === 'complete' && text !== undefined) return { stream, text };
      this.abandonCurrent(stream);
    }
    return undefined;
  }

  /** Stops the engine at once when a document no longer agrees with what is being written for it. */
  documentChanged(uri: string, text: string): void {
    const { current } = this;
    if (current?.context.uri !== uri || current.finished) return;
    const normal = current.context.lineEnd === '\n' ? text : text.replaceAll('\r\n', '\n');
    if (!mayStillFit(current, normal)) this.abandonCurrent(current);
  }

  /** Stops what runs and forgets what is known. */
  dispose(): void {
    clearTimeout(this.orphanTimer);
    this.current?.abandon();
    this.current = undefined;
    this.finished = [];
  }

  /** A completion, finished or under way, that goes on from this place. */
  private known({ context, extent }: CompletionRequest): CompletionStream | undefined {
    const candidates = this.current && !this.current.abandoned ? [this.current, ...this.finished] : this.finished;
    return candidates.find((stream) => {
      if (remainder(stream, context) === undefined) return false;
      const goesFarEnough = extent === 'line' || stream.extent === 'block';
      return goesFarEnough || context.before.length > stream.context.before.length;
    });
  }

  private start({ context, extent, maxTokens, speculation }: CompletionRequest): CompletionStream {
    if (this.current?.finished) this.remember(this.current);
    this.current?.abandon();
    const { engine, stopTokens, tokenizer } = this.model;
    const budget = promptBudget(engine.model.contextLength, maxTokens, this.promptLength.current);
    const prompt = buildPrompt(this.model, context, budget);
    const ends = new Set(stopTokens);
    const generation = engine.generate(prompt, { maxTokens, stopTokens, temperature: 0, speculation });
    const stream = new CompletionStream(
      context,
      extent,
      generation,
      (token) => ends.has(token),
      stopRule(context, extent),
      tokenizer,
    );
    this.current = stream;
    this.waiting = 0;
    this.observer.started();
    stream.statistics.then(
      (statistics) => {
        this.promptLength.observe(statistics);
        this.observer.ended(prompt.length, statistics);
      },
      (error: unknown) => {
        this.observer.ended(prompt.length, error instanceof Error ? error : new Error(String(error)));
      },
    );
    return stream;
  }

  /** Waits until a stream is complete, does not fit the place any more, or is not to be waited for. */
  private async follow(
    stream: CompletionStream,
    context: CursorContext,
    signal: AbortSignal,
  ): Promise<'complete' | 'differs' | 'gone'> {
    this.join(stream);
    try {
      while (!stream.finished) {
        await stream.progress(signal);
        if (signal.aborted) return 'gone';
        if (remainder(stream, context) === undefined) return 'differs';
      }
    } finally {
      this.leave(stream);
    }
    if (stream.abandoned) return 'gone';
    this.remember(stream);
    return 'complete';
  }

  private join(stream: CompletionStream): void {
    if (stream !== this.current) return;
    this.waiting += 1;
    clearTimeout(this.orphanTimer);
  }

  private leave(stream: CompletionStream): void {
    if (stream !== this.current) return;
    this.waiting -= 1;
    if (this.waiting > 0 || stream.finished) return;
    this.orphanTimer = setTimeout(() => {
      this.abandonCurrent(stream);
    }, orphanTime);
    this.orphanTimer.unref();
  }

  private abandonCurrent(stream: CompletionStream): void {
    stream.abandon();
    if (this.current === stream) this.current = undefined;
  }

  private remember(stream: CompletionStream): void {
    if (stream.abandoned) return;
    this.finished = [stream, ...this.finished.filter((other) => other !== stream)].slice(0, cachedCompletions);
  }
}
