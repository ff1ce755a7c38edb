/**
 * Our engine as a contender, through the addon and the typed wrapper that the language server uses: the same requests and
 * answers as llama_peer.cpp. Usage: node monokernel_peer.js FOLDER THREADS CONTEXT bf16|int8
 */
import { createInterface } from 'node:readline';
import type { EngineOptions, GenerateStatistics } from '../../lsp-server/engine/contract';
import { loadEngine, type NativeEngine } from '../../lsp-server/engine/native';
import { addonFile } from './project';

interface Outcome {
  tokens: number[];
  logprobs: number[];
  /** Seconds from the request to the first token in JavaScript's hands. */
  first: number;
  statistics: GenerateStatistics;
}

async function generate(engine: NativeEngine, prompt: readonly number[], maxTokens: number): Promise<Outcome> {
  const start = performance.now();
  const generation = engine.generate(prompt, { maxTokens, stopTokens: [] });
  const tokens: number[] = [];
  const logprobs: number[] = [];
  let first = Number.NaN;
  for await (const batch of generation) {
    if (tokens.length === 0) first = (performance.now() - start) / 1000;
    for (const { token, logprob } of batch) {
      tokens.push(token);
      logprobs.push(logprob);
    }
  }
  const statistics = await generation.done;
  if (tokens.length !== maxTokens) throw new Error(`${tokens.length} of ${maxTokens} tokens: ${statistics.stop}`);
  return { tokens, logprobs, first, statistics };
}

type Command = (engine: NativeEngine, numbers: readonly number[]) => Promise<object>;

const commands: Record<string, Command> = {
  async first(engine, prompt) {
    const { first, statistics } = await generate(engine, prompt, 1);
    return { seconds: first, reused: statistics.reused };
  },
  async decode(engine, [count = 0, ...prompt]) {
    // The first token comes from the prompt's last one; the engine's clock for decoding starts with it.
    const { statistics } = await generate(engine, prompt, count + 1);
    return { seconds: statistics.decodeTime / 1000, count };
  },
  async greedy(engine, [count = 0, ...prompt]) {
    const { tokens, logprobs } = await generate(engine, prompt, count);
    return { tokens, logprobs };
  },
};

async function main(): Promise<void> {
  const [folder, threads, contextLength, precision] = process.argv.slice(2);
  if (folder === undefined || (precision !== 'bf16' && precision !== 'int8')) {
    throw new Error('Usage: monokernel_peer FOLDER THREADS CONTEXT bf16|int8');
  }
  const before = process.memoryUsage.rss();
  const start = performance.now();
  const options: EngineOptions = {
    device: 'cpu',
    threads: Number(threads),
    slots: 1,
    contextLength: Number(contextLength),
    precision,
  };
  const engine = await loadEngine(addonFile(), folder, options);
  const { description, memoryBytes } = engine.model;
  console.log(JSON.stringify({ load: (performance.now() - start) / 1000, description, memoryBytes, before }));
  for await (const line of createInterface({ input: process.stdin })) {
    const [name = '', ...numbers] = line.split(' ');
    const command = commands[name];
    if (!command) throw new Error(`Unknown command ${name}`);
    console.log(JSON.stringify(await command(engine, numbers.map(Number))));
  }
  await engine.dispose();
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
