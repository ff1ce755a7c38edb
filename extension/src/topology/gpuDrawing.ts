/** GPUs as nested boxes: I/O dies with their compute dies and memory stacks, lanes where they run, figures below. */
import type { GpuTarget, TopologyGpu, TopologyResult } from '../../../lsp-server/protocol';
import { useOfCalibration } from '../../../lsp-server/topology/report';
import { empty, html } from './html';
import type { Html } from './html';
import { bytesText, NOT_MEASURED, rows } from './text';

/** MI300X boards join each GPU with each other one; the rate is the maker's, nominal. */
const LINK_OF: Record<GpuTarget, string> = {
  gfx942: 'xGMI, each GPU with each other one, 64 GB/s a direction by the maker’s figures; speed here',
  sm_90: 'NVLink or PCIe; speed here',
  sm_80: 'PCIe, or NVLink where the cards have it; speed here',
};

export function gpuSections(box: TopologyResult): Html {
  const { gpus, placement } = box;
  if (gpus.length === 0) return box.version === '' ? empty : noGpu(box);
  const links = gpus.length > 1 ? linkSection(gpus) : empty;
  return html`${gpus.map((gpu) => gpuSection(gpu, placement))}${links}`;
}

function noGpu({ gpuSearch, engine }: TopologyResult): Html {
  const meaning = html`<p>
    The CPU runs the model instead. That suits the built-in model; models of billions of parameters are slow on it.
  </p>`;
  return html`<section>
    <h2>GPUs</h2>
    <p>
      <strong>No GPU was found</strong> that the kernels run on (AMD MI300X; NVIDIA from Ampere on: compute capability
      8.0).
    </p>
    ${engine.chosen === 'cpu' ? meaning : empty}
    <ul class="quiet">
      ${gpuSearch.map((line) => html`<li>Looked for ${line}</li>`)}
    </ul>
  </section>`;
}

function gpuSection(gpu: TopologyGpu, placement: TopologyResult['placement']): Html {
  const homes = Array.from({ length: gpu.homes }, (_, home) => home);
  return html`<section>
    <h2>GPU ${gpu.index}: ${gpu.name}</h2>
    <div class="box outer">
      <p class="quiet">
        ${gpu.computeUnits} compute units, ${bytesText(gpu.memoryBytes)} of memory, ${gpu.target}, driver ${gpu.driver}
      </p>
      <ul class="row">
        ${homes.map((home) => homeBox(gpu, home, placement))}
      </ul>
    </div>
    ${rows(measuredRows(gpu))}
  </section>`;
}

/** One part of the memory and the dies that are near to it. */
function homeBox(gpu: TopologyGpu, home: number, placement: TopologyResult['placement']): Html {
  const dies = Array.from({ length: gpu.computeDies }, (_, die) => die).filter(
    (die) => Math.floor((die * gpu.homes) / gpu.computeDies) === home,
  );
  const stacks = Array.from({ length: gpu.stacksPerHome }, (_, stack) => home * gpu.stacksPerHome + stack);
  const title = gpu.homes > 1 ? html`<h3>I/O die ${home}</h3>` : empty;
  const memory = html`<li class="cell memory">Memory<span>${bytesText(gpu.memoryBytes)}</span></li>`;
  return html`<li class="box">
    ${title}
    <ul class="cells">
      ${dies.map((die) => dieCell(gpu, die, placement))}
      ${stacks.map((stack) => html`<li class="cell memory">HBM ${stack}<span>memory stack</span></li>`)}
      ${stacks.length === 0 ? memory : empty}
    </ul>
  </li>`;
}

function dieCell(gpu: TopologyGpu, die: number, placement: TopologyResult['placement']): Html {
  const lanes = placement.find((place) => place.gpu === gpu.index && place.die === die)?.lanes ?? [];
  const units = html`<span>${gpu.computeUnits / gpu.computeDies} units</span>`;
  const name = gpu.computeDies > 1 ? html`Die ${die}` : html`Compute`;
  if (lanes.length === 0) return html`<li class="cell">${name}${units}<span>no lane</span></li>`;
  return html`<li class="cell used">${name}${units}<span>${laneText(lanes)}</span></li>`;
}

function laneText(lanes: readonly number[]): string {
  const [first = 0, last = 0] = [lanes[0], lanes.at(-1)];
  return lanes.length === 1 ? `lane ${first}` : `lanes ${first} to ${last}`;
}

function measuredRows(gpu: TopologyGpu): [string, string][] {
  const { calibration, homes } = gpu;
  const time = (nanoseconds: number | undefined): string =>
    nanoseconds === undefined || nanoseconds === 0 ? NOT_MEASURED : `${Math.round(nanoseconds)} ns`;
  const found = calibration?.reason ?? NOT_MEASURED;
  return [
    ['Round trip to near memory', time(calibration?.localNanoseconds)],
    ['Round trip to far memory', time(calibration?.remoteNanoseconds)],
    ['Which page is near which die', homes > 1 ? `${found}; ${useOfCalibration(gpu)}` : found],
  ];
}

function linkSection(gpus: readonly TopologyGpu[]): Html {
  const targets = [...new Set(gpus.map(({ target }) => target))];
  return html`<section>
    <h2>Links between GPUs</h2>
    ${rows(targets.map((target) => [target, `${LINK_OF[target]}: ${NOT_MEASURED}`]))}
  </section>`;
}
