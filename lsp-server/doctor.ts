/** `npm run doctor`: what the engine finds on this machine, what it would do with it, and what is wrong. */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { calibrateGpus, probeAddon } from './engine/probe';
import { readSettings } from './settings';
import { lookAtMachine } from './topology/look';
import { reportOf } from './topology/report';

const usage = `Usage: npm run doctor -- [options]
  --model DIR     folder of the model (default: the one that comes with the extension)
  --engine NAME   auto, cpu, gfx942, sm_90 or sm_80
  --calibrate     measure each GPU's memory first, once for each driver; nothing else may use the GPU meanwhile
  --json          everything as JSON
Ends with 1 if something keeps the model from running.`;

/** Only a clone of the repository has this program, so only here are its commands named. */
const halfBuilt = `Here "npm run build" builds the engine, and "npm run build:kernels" (clang 19) the GPU kernels.`;

/** The program lies in dist/, beside native/ and models/. */
const root = path.join(__dirname, '..');
const places = {
  addon: path.join(root, 'native', 'prebuilds', `${process.platform}-${process.arch}`, 'monokernel.node'),
  defaultModel: path.join(root, 'models', 'laneformer-nano'),
};

async function main(args: string[]): Promise<number> {
  let options;
  try {
    options = readArguments(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return 2;
  }
  const { settings, json } = options;
  const calibrated = !options.calibrate || (await calibrate());
  const box = await lookAtMachine({ places, settings, running: undefined, probe: probeAddon });
  console.log(json ? JSON.stringify(box, undefined, 2) : reportOf(box));
  if (box.version === '' || box.kernels.length === 0) console.error(halfBuilt);
  return calibrated && box.problems.every(({ severity }) => severity !== 'error') ? 0 : 1;
}

/** Measures and tells; false if a result could not be had or kept. */
async function calibrate(): Promise<boolean> {
  try {
    const results = await calibrateGpus(places.addon);
    if (results.length === 0) console.error('There is no GPU to calibrate.');
    for (const { gpu, name, kept, reason } of results) {
      console.error(`GPU ${gpu} (${name}): ${kept ? '' : 'NOT calibrated: '}${reason}`);
    }
    return results.every(({ kept }) => kept);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return false;
  }
}

function readArguments(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      model: { type: 'string', default: '' },
      engine: { type: 'string', default: 'auto' },
      calibrate: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const settings = readSettings({ model: { path: values.model }, engine: values.engine });
  if (settings.engine !== values.engine) throw new Error(`There is no engine "${values.engine}".`);
  return { settings, json: values.json, calibrate: values.calibrate };
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
