/**
 * node-llama-cpp as a contender, through its own JavaScript API: the same requests and answers as llama_peer.cpp, without
 * `greedy`. Usage: node node_llama_peer.mjs MODEL.gguf THREADS CONTEXT
 */
import { createInterface } from 'node:readline';
import { getLlama } from 'node-llama-cpp';

const [path, threads, contextSize] = process.argv.slice(2);
if (contextSize === undefined) throw new Error('Usage: node node_llama_peer.mjs MODEL.gguf THREADS CONTEXT');

const start = performance.now();
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: Number(threads) });
const model = await llama.loadModel({ modelPath: path });
const context = await model.createContext({
  contextSize: Number(contextSize),
  batchSize: 512,
  threads: { ideal: Number(threads), min: Number(threads) },
});
const sequence = context.getSequence();

/** Runs what the sequence does not hold yet of `prompt`, then greedy steps without end. */
async function generate(prompt) {
  // The last token is always run: its logits give the first new token.
  await sequence.adaptStateToTokens(prompt.slice(0, -1), false);
  const reused = sequence.nextTokenIndex;
  return { reused, tokens: sequence.evaluate(prompt.slice(reused), { temperature: 0, yieldEogToken: true }) };
}

const commands = {
  async first(prompt) {
    const from = performance.now();
    const { reused, tokens } = await generate(prompt);
    await tokens.next();
    const seconds = (performance.now() - from) / 1000;
    await tokens.return();
    return { seconds, reused };
  },
  async decode([count, ...prompt]) {
    const { tokens } = await generate(prompt);
    await tokens.next();
    const from = performance.now();
    for (let i = 0; i < count; i++) await tokens.next();
    const seconds = (performance.now() - from) / 1000;
    await tokens.return();
    return { seconds, count };
  },
};

console.log(JSON.stringify({ load: (performance.now() - start) / 1000 }));
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...numbers] = line.split(' ');
  const run = commands[command];
  if (!run) throw new Error(`Unknown command ${command}`);
  console.log(JSON.stringify(await run(numbers.map(Number))));
}
await llama.dispose();
