/**
 * The language server as it is, with a stopwatch around the engine: `bench/engineTime` tells for how long requests
 * since the last question waited for it, and how many did.
 */
import { createConnection } from 'vscode-languageserver/node';
import type { Engine, GeneratedToken, Generation } from '../../lsp-server/engine/contract';
import { nativeLoader } from '../../lsp-server/engine_loader';
import { calibrateGpus, probeAddon } from '../../lsp-server/engine/probe';
import { startServer } from '../../lsp-server/language_server';
import type { EngineTime } from './keystroke';

let measured: EngineTime = { milliseconds: 0, requests: 0 };

/** Counts from the call of generate() to the last tokens, or the end, that the server took from the engine. */
function timed(engine: Engine): Engine {
  return {
    model: engine.model,
    dispose: () => engine.dispose(),
    generate: (tokens, options) => {
      const started = performance.now();
      const generation = engine.generate(tokens, options);
      const before = measured.milliseconds;
      measured.requests += 1;
      return timedGeneration(generation, () => {
        measured.milliseconds = before + performance.now() - started;
      });
    },
  };
}

function timedGeneration(generation: Generation, lap: () => void): Generation {
  async function* batches(): AsyncGenerator<readonly GeneratedToken[]> {
    for await (const batch of generation) {
      lap();
      yield batch;
    }
    lap();
  }
  return {
    done: generation.done,
    cancel: () => {
      generation.cancel();
    },
    [Symbol.asyncIterator]: batches,
  };
}

const connection = createConnection();
startServer(connection, {
  loadEngine: async (request) => timed(await nativeLoader(request)),
  probe: probeAddon,
  measure: calibrateGpus,
});
connection.onRequest('bench/engineTime', () => {
  const answer = measured;
  measured = { milliseconds: 0, requests: 0 };
  return answer;
});
connection.listen();
