import type { Tokenizer } from '../../lsp-server/models/tokenizer';
import { FakeEngine, type Script } from '../unit/fake_engine';
import { nanoPath } from '../unit/nano';
import type { SentSettings, TestClient } from './client';
import { serverInProcess } from './in_process';

export const uri = 'file:///work/src/a.ts';
export const wholeLine = { start: { line: 0, character: 0 }, end: { line: 0, character: 4 } };
const end = 0;

/** The script of an engine that says `text`, a token each `pace` milliseconds. */
export function script(tokenizer: Tokenizer, text: string, pace = 0): Script {
  return { tokens: [...tokenizer.encode(text), end], pace };
}

/** A ready server whose engine answers with the script that `answer` gives at that time, and how often it was loaded. */
export async function readyServer(
  answer: () => Script,
  settings: SentSettings = {},
): Promise<{ client: TestClient; engine: FakeEngine; loads: () => number }> {
  const engine = new FakeEngine(answer);
  let loads = 0;
  const client = serverInProcess(() => {
    loads += 1;
    return Promise.resolve(engine);
  });
  await client.initialize({ defaultModel: nanoPath, addon: '', settings });
  await client.state('ready');
  return { client, engine, loads: () => loads };
}
