import * as fs from 'node:fs';
import * as path from 'node:path';
import { Contender } from './contender';
import { decodeCourse, limitCourse } from './courses';
import { HandOff } from './hand_off';
import { type Peers } from './install';
import { interleave } from './interleave';
import { type Effort } from './measure';
import { bytesPerWeight } from './models/shapes';
import { engines, startOurs, type Precision } from './pairing';
import { nanoFolder } from './project';
import { cellsOf, type Row } from './rows';

/** Decode of the default model, which only our engine runs: its embedding is its head, so a token reads all weights. */
export async function measureNano(peers: Peers, effort: Effort, precision: Precision): Promise<Row> {
  const threads = 2;
  const files = fs.readdirSync(nanoFolder).filter((name) => name.endsWith('.safetensors'));
  const stored = files.reduce((sum, name) => sum + fs.statSync(path.join(nanoFolder, name)).size, 0);
  const bytes = precision === 'int8' ? Math.round((stored * bytesPerWeight.q8_0) / bytesPerWeight.bf16) : stored;
  const command = [peers.streamRead, String(bytes), String(threads)];
  await using limit = await Contender.start(engines.limit, threads, command);
  await using single = await startOurs(nanoFolder, 1, 0, precision);
  await using ours = await startOurs(nanoFolder, threads, 0, precision);
  const courses = [single, ours].map((contender) => decodeCourse(contender, [9], effort.seconds));
  await using handOff = await HandOff.start(peers);
  const all = [...courses, limitCourse(limit, effort.seconds)];
  const figures = await interleave(all, effort.repeats, { handOff });
  const rate = figures.of.get(limit);
  return {
    model: 'laneformer-nano, 42 M',
    weights: precision,
    measure: { kind: 'decode', depth: 0, busy: 0 },
    handOff: figures.handOff,
    cells: cellsOf(figures.of).filter(({ engine }) => engine !== engines.limit),
    ...(rate && { limit: { rate, bytes } }),
  };
}
