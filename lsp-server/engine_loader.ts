import { loadEngine } from './engine/native';
import { probeAddon } from './engine/probe';
import type { EngineLoader } from './model_host';

/** The real engine: tried in a process of its own first, so that a crash there is a message and not a dead server. */
export const nativeLoader: EngineLoader = async ({ addon, folder, options, onProgress }) => {
  await probeAddon(addon);
  return loadEngine(addon, folder, options, onProgress);
};
