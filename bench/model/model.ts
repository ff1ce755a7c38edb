/** `npm run bench:model`: the machine model's tables, in Markdown. A model of a machine we have not had, no measurement. */
import { costsOf, tokenTime } from './costs';
import { inputs } from './inputs';
import { makePlan, type Structure } from './plan';
import { published } from './published';
import { bytesOfToken, laneformer2b } from './shape';
import { simulate } from './simulate';
import { cacheAtHome, kog, lanesInTurn, mailboxesAtHome, ours, unpadded, weightsAtHome } from './structures';

const rateOf = (time: number): number => 1e6 / time;

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

function table(head: string[], rows: string[][]): void {
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  console.log([line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n') + '\n');
}

function reproduction(): void {
  table(
    ['', 'published, tok/s', 'model, tok/s', 'off by'],
    published.map(({ structure, rate }) => {
      const modelled = rateOf(tokenTime(structure));
      return [structure.name, whole(rate), whole(modelled), `${((modelled / rate - 1) * 100).toFixed(1)} %`];
    }),
  );
}

function predictions(): void {
  const steps: ((structure: Structure) => Structure)[] = [
    (structure) => structure,
    weightsAtHome,
    mailboxesAtHome,
    unpadded,
    cacheAtHome,
  ];
  const rows: string[][] = [];
  for (const devices of [1, 2, 4, 8]) {
    let structure = ours(devices);
    for (const step of steps) {
      structure = step(structure);
      const { time, bytes } = simulate(makePlan(laneformer2b, structure));
      const loaded = tokenTime(structure, { handOff: 4 });
      const quick = tokenTime(structure, { rate: inputs.streamRate.value / inputs.phaseRate.value });
      const [least, most] = [rateOf(loaded), rateOf(quick)].map(whole);
      const read = `${((bytes * devices) / bytesOfToken(laneformer2b)).toFixed(2)}x`;
      rows.push([structure.name, time.toFixed(0), whole(rateOf(time)), `${least} to ${most}`, read]);
    }
  }
  table(
    ['', 'us a token', 'tok/s', 'from hand-offs four times as long to phases at stream rate', 'weights read'],
    rows,
  );
}

function breakdown(structure: Structure): void {
  const { time, phases } = simulate(makePlan(laneformer2b, structure));
  console.log(`${structure.name}: ${time.toFixed(0)} us, by phase\n`);
  table([...phases.keys()], [[...phases.values()].map((value) => value.toFixed(1))]);
  table(
    ['cost', 'us saved if it were free'],
    costsOf(structure).map(({ name, saved }) => [name, saved.toFixed(1)]),
  );
}

/** Whether lanes that share a device should begin a token in turn, as they do on NVIDIA's, us a token. */
function turns(): void {
  const rows = [1, 2, 4].flatMap((devices) =>
    [ours(devices), weightsAtHome(ours(devices))].map((structure) => [
      structure.name,
      tokenTime(structure).toFixed(0),
      tokenTime(lanesInTurn(structure)).toFixed(0),
    ]),
  );
  table(['', 'lanes in step, us', 'in turn'], rows);
}

/** What the model was built to choose: both for eight GPUs, us a token. */
function choices(): void {
  const structure = unpadded(mailboxesAtHome(weightsAtHome(ours(8))));
  const row = (values: number[], change: (value: number) => Partial<Structure>): string[] =>
    values.map((value) => tokenTime({ ...structure, ...change(value) }).toFixed(0));
  const chunks = [2, 4, 8, 16, 32];
  const kibibytes = [0, 8, 16, 32, 64];
  table(['KV chunks a head', ...chunks.map(String)], [['us', ...row(chunks, (value) => ({ chunks: value }))]]);
  table(
    ['look-ahead, KiB a compute unit', ...kibibytes.map(String)],
    [
      [
        'us',
        ...row(kibibytes, (value) => ({ lookAhead: value * 1024, window: Math.max(structure.window, value * 1024) })),
      ],
    ],
  );
}

function main(): void {
  console.log('A model, not a measurement: no MI300X was at hand.\n');
  table(
    ['input', 'source'],
    Object.values(inputs).map(({ text, source }) => [text, source]),
  );
  reproduction();
  predictions();
  choices();
  turns();
  for (const structure of [kog, ours(8), unpadded(mailboxesAtHome(weightsAtHome(ours(8))))]) breakdown(structure);
}

main();
