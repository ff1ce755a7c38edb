/** `npm run complete -- FILE:LINE:COLUMN`: one completion in the terminal, by the code and the engine of the server. */
import { parseArgs } from 'node:util';
import { completeOnce, type OneCompletion } from './complete_once';
import { parsePlace, PlaceError } from './place';
import { readSettings } from './settings';

const usage = `Usage: npm run complete -- FILE:LINE[:COLUMN] [options]
LINE and COLUMN count from 1; without COLUMN the cursor is at the line's end.
  --model DIR           folder of the model (default: the one that comes with the extension)
  --engine NAME         auto, cpu, gfx942, sm_90 or sm_80
  --precision NAME      auto, bf16 (weights as stored) or int8; CPU only
  --speculation NAME    off or promptLookup; CPU only
  --threads N           CPU workers
  --mode NAME           auto, line or block
  --max-tokens N        longest completion
  --json                everything as one line of JSON`;

async function main(args: string[]): Promise<number> {
  let parsed;
  try {
    parsed = readArguments(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return 2;
  }
  try {
    const result = await completeOnce(await parsePlace(parsed.place), parsed.settings);
    console.log(parsed.json ? JSON.stringify(result) : describe(result, process.stdout.isTTY));
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return error instanceof PlaceError ? 2 : 1;
  }
}

function readArguments(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      model: { type: 'string', default: '' },
      engine: { type: 'string', default: 'auto' },
      precision: { type: 'string', default: 'auto' },
      speculation: { type: 'string', default: 'off' },
      threads: { type: 'string', default: '0' },
      mode: { type: 'string', default: 'auto' },
      'max-tokens': { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const [place, ...more] = positionals;
  if (place === undefined || more.length > 0) throw new Error('Give one place to complete.');
  const maxTokens = values['max-tokens'];
  const settings = readSettings({
    model: { path: values.model },
    engine: values.engine,
    precision: values.precision,
    speculation: values.speculation,
    threads: Number(values.threads),
    completion: { mode: values.mode, ...(maxTokens === undefined ? {} : { maxTokens: Number(maxTokens) }) },
  });
  if (settings.engine !== values.engine) throw new Error(`There is no engine "${values.engine}".`);
  if (settings.precision !== values.precision) throw new Error(`There is no precision "${values.precision}".`);
  if (settings.speculation !== values.speculation) throw new Error(`There is no speculation "${values.speculation}".`);
  if (settings.completion.mode !== values.mode) throw new Error(`There is no mode "${values.mode}".`);
  return { place, settings, json: values.json };
}

/** The cursor's line with the ghost text marked, and what it took. */
function describe(result: OneCompletion, colour: boolean): string {
  const {
    statistics: { promptTokens, prefilled, generated, drafted, accepted, timeToFirstToken, decodeRate, stop },
  } = result;
  const ghost = colour ? `\x1b[2m${result.text}\x1b[0m` : `⟦${result.text}⟧`;
  const shown = result.text === '' ? `${result.linePrefix}\n(no completion here)` : `${result.linePrefix}${ghost}`;
  const rate = timeToFirstToken > 0 ? (prefilled * 1000) / timeToFirstToken : 0;
  return [
    shown,
    '',
    `${result.model}, ${result.engine}`,
    ...result.warnings,
    `prompt ${promptTokens} tokens, first token after ${timeToFirstToken.toFixed(0)} ms (${rate.toFixed(0)} tokens/s)`,
    `${generated} tokens at ${decodeRate.toFixed(1)} tokens/s, stopped by ${stop}; ${result.milliseconds.toFixed(0)} ms in all, loading aside`,
    ...(drafted > 0 ? [`${accepted} of these tokens were drafted right, of ${drafted} drafted`] : []),
  ].join('\n');
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
