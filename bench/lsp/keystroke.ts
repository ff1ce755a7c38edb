/**
 * From keystroke to the server's answer, with the engine's time taken out: real files are typed letter by letter, each
 * letter a `didChange` and an `inlineCompletion` over real JSON-RPC to the server process. Usage: npm run bench:lsp
 * Prints median and 95 % of what is not the engine: transport both ways, document, prompt, tokens, text, item. The way
 * of a token from the engine's thread to JavaScript counts as the engine's. Fails when a median is 3 ms or more.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createMessageConnection, IPCMessageReader, IPCMessageWriter } from 'vscode-jsonrpc/node';
import { TestClient } from '../../test/lsp/client';
import { addonFile, nanoFolder, root } from '../peers/project';

/** How long the server waited for the engine. */
export interface EngineTime {
  milliseconds: number;
  requests: number;
}

interface Keystroke {
  total: number;
  engine: EngineTime;
}

/** TypeScript, Python, C++, and a large file. */
const files = [
  ['lsp-server/completion/completer.ts', 'typescript'],
  ['test/golden/make_golden.py', 'python'],
  ['native/model/model_spec.h', 'cpp'],
  ['node_modules/vscode-languageserver/lib/common/server.js', 'javascript'],
] as const;
/** At least; to the end of a line. */
const keystrokesPerFile = 80;
const limit = 3;

async function typeInto(client: TestClient, file: string, languageId: string): Promise<Keystroke[]> {
  const source = readFileSync(path.join(root, file), 'utf8');
  const start = source.indexOf('\n', source.length >> 1) + 1;
  const end = source.indexOf('\n', start + keystrokesPerFile);
  const typed = source.slice(start, end);
  const uri = `file:///work/${file}`;
  const line = source.slice(0, start).split('\n').length - 1;
  await client.open(uri, source.slice(0, start) + source.slice(end), languageId);
  const position = { line, character: 0 };
  await client.complete(uri, position, { invoked: true });
  await client.connection.sendRequest('bench/engineTime');
  const keystrokes: Keystroke[] = [];
  for (const letter of Array.from(typed)) {
    const begin = performance.now();
    const change = client.insert(uri, { ...position }, letter);
    if (letter === '\n') Object.assign(position, { line: position.line + 1, character: 0 });
    else position.character += letter.length;
    const answer = client.complete(uri, { ...position });
    await change;
    await answer;
    const total = performance.now() - begin;
    keystrokes.push({ total, engine: await client.connection.sendRequest<EngineTime>('bench/engineTime') });
  }
  return keystrokes;
}

function row(title: string, keystrokes: readonly Keystroke[]): { text: string; median: number } {
  const own = keystrokes.map(({ total, engine }) => total - engine.milliseconds).sort((one, other) => one - other);
  const at = (part: number): number => own[Math.min(own.length - 1, Math.floor(own.length * part))] ?? NaN;
  const text = `| ${title} | ${keystrokes.length} | ${at(0.5).toFixed(2)} ms | ${at(0.95).toFixed(2)} ms | ${at(1).toFixed(2)} ms |`;
  return { text, median: at(0.5) };
}

async function main(): Promise<void> {
  const server = fork(path.join(__dirname, 'timed_server.js'), ['--node-ipc'], { execArgv: [] });
  const connection = createMessageConnection(new IPCMessageReader(server), new IPCMessageWriter(server));
  const client = new TestClient(connection, process.pid);
  const settings = { engine: 'cpu', completion: { maxTokens: 8 } } as const;
  await client.initialize({ defaultModel: nanoFolder, addon: addonFile(), settings });
  const { engine } = await client.state('ready');
  const perFile: [string, Keystroke[]][] = [];
  for (const [file, languageId] of files) perFile.push([file, await typeInto(client, file, languageId)]);
  await connection.sendRequest('shutdown');
  const exited = once(server, 'exit');
  await connection.sendNotification('exit');
  await exited;

  const all = perFile.flatMap(([, keystrokes]) => keystrokes);
  const rows = [
    ...perFile.map(([file, keystrokes]) => row(file, keystrokes)),
    row(
      'all that asked the engine',
      all.filter(({ engine: { requests } }) => requests > 0),
    ),
    row(
      'all that did not: typed through, or nothing to complete',
      all.filter(({ engine: { requests } }) => requests === 0),
    ),
    row('all', all),
  ];
  console.log(`Keystroke to answer without the engine (${engine ?? 'engine'}), one keystroke at a time:\n`);
  console.log('| what | keystrokes | median | 95 % | worst |\n| --- | ---: | ---: | ---: | ---: |');
  for (const { text } of rows) console.log(text);
  if (rows.every(({ median }) => median < limit)) return;
  console.error(`\nA median is ${limit} ms or more.`);
  process.exitCode = 1;
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
