import assert from 'node:assert/strict';
import { test } from 'node:test';
import { html } from '../../extension/src/topology/html';
import { STYLE } from '../../extension/src/topology/style';
import { messageHtml, topologyHtml } from '../../extension/src/topology/topologyHtml';
import { placeLanes } from '../../lsp-server/topology/placement';
import { boxOf, calibration, mi300x, rtx4090 } from './boxes';

/** What a screen reader would have of it: no tags, one space between words. */
const plain = (page: string): string =>
  page
    .replace(/<(style|title)[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replace(/\s+/g, ' ');

const gpus = [
  { ...mi300x, calibration },
  { ...mi300x, index: 1 },
];

test('topology page: a machine without a GPU says so, what it means, and shows the CPU', () => {
  const text = plain(topologyHtml(boxOf({}), 'n'));
  assert.match(text, /No GPU was found that .*\(AMD MI300X; NVIDIA from Ampere on: compute capability 8\.0\)/);
  assert.match(text, /The CPU runs the model instead/);
  assert.match(text, /Looked for HIP: libamdhip64\.so is missing/);
  assert.match(text, /Socket 0 NUMA node 0 64 GB of memory, 2 cores Core 0 worker 0 Core 1 worker 1 Socket 1/);
  assert.match(text, /Core 3 no worker/);
  assert.match(text, /L3 cache 2 of 32 MiB, each shared by 2 cores/);
  assert.match(text, /Memory of another node not measured/);
});

test('topology page: GPUs with dies, stacks, lanes, links and what was measured', () => {
  const engine = { setting: 'auto', chosen: 'gfx942', why: 'it was found', workers: 3 } as const;
  const text = plain(topologyHtml(boxOf({ gpus, engine, placement: placeLanes(gpus, 'gfx942', 8) }), 'n'));
  assert.match(text, /GPU 0: AMD Instinct MI300X 304 compute units, 206 GB of memory/);
  assert.match(text, /I\/O die 3 Die 6 38 units lane 3 Die 7 38 units lane 3 HBM 6 memory stack HBM 7/);
  assert.match(text, /GPU 1: .*I\/O die 3 Die 6 38 units lane 7 Die 7 38 units lane 7/);
  assert.match(text, /near memory 641 ns Round trip to far memory 1152 ns/);
  assert.match(text, /near memory not measured Round trip to far memory not measured/);
  assert.match(text, /near which die homes repeat[^.]*agree; weights are placed by it/);
  assert.match(text, /near which die not measured; weights lie anywhere/);
  assert.match(text, /Links between GPUs gfx942 xGMI.*not measured/);
  assert.match(text, /No model is loaded/);
  assert.ok(!text.includes('worker 0'), 'the CPU’s cores have no workers then');
  assert.ok(!plain(topologyHtml(boxOf({ gpus: gpus.slice(0, 1) }), 'n')).includes('Links'));
});

test('topology page: a GPU that is not like the first one of its kind has no lane', () => {
  const cards = [rtx4090, { ...rtx4090, name: 'NVIDIA GeForce RTX 3090', index: 1, computeUnits: 82 }];
  const engine = { setting: 'auto', chosen: 'sm_80', why: 'it was found', workers: 3 } as const;
  const text = plain(topologyHtml(boxOf({ gpus: cards, engine, placement: placeLanes(cards, 'sm_80', 8) }), 'n'));
  assert.match(text, /GPU 0: NVIDIA GeForce RTX 4090 128 compute units, 26 GB of memory, sm_80/);
  assert.match(text, /128 units lanes 0 to 7 .*82 units no lane /);
  assert.match(text, /Links between GPUs sm_80 PCIe/);
});

test('topology page: says of GPUs and CPU only what is so', () => {
  const nothing = { setting: 'gfx942', why: 'no such GPU was found', workers: 3 } as const;
  const asked = plain(topologyHtml(boxOf({ engine: nothing }), 'n'));
  assert.match(asked, /Nothing can run it: no such GPU was found\./);
  assert.match(asked, /No GPU was found/);
  assert.ok(!asked.includes('The CPU runs the model') && !asked.includes('worker 0'));
  const unloaded = plain(topologyHtml(boxOf({ version: '', cpu: { ...boxOf({}).cpu, cores: [] } }), 'n'));
  assert.ok(!unloaded.includes('No GPU was found') && !unloaded.includes('CPU:'));
});

test('topology page: cores without a worker, where there are fewer workers than cores', () => {
  const { engine } = boxOf({});
  // One in each socket, as the engine deals them out.
  const cores = boxOf({}).cpu.cores.map(({ processor, ...core }) => ({ ...core, processor, worker: processor / 2 }));
  const dealt = cores.map(({ worker, ...core }) => (Number.isInteger(worker) ? { ...core, worker } : core));
  const cpu = { ...boxOf({}).cpu, cores: dealt };
  const text = plain(topologyHtml(boxOf({ cpu, engine: { ...engine, workers: 2 } }), 'n'));
  assert.match(text, /Core 0 worker 0 Core 1 no worker/);
  assert.match(text, /Core 2 worker 1/);
});

test('topology page: problems come with what to do', () => {
  const problems = [{ severity: 'error', what: 'It is broken.', remedy: 'Mend it.' }] as const;
  const text = plain(topologyHtml(boxOf({ problems: [...problems] }), 'n'));
  assert.match(text, /What is wrong It is broken\. Mend it\./);
  assert.ok(!plain(topologyHtml(boxOf({}), 'n')).includes('What is wrong'));
});

test('topology page: nothing is loaded and no script runs; whatever names say, it stays text', () => {
  const name = '<img src=x onerror="alert(1)">';
  const box = boxOf({ cpu: { ...boxOf({}).cpu, name }, model: { path: '/m', name }, gpuSearch: [`${name}'`] });
  for (const page of [topologyHtml(box, 'n0nce'), messageHtml(name, 'n0nce')]) {
    const policy = /<meta\s+http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(page)?.[1];
    assert.equal(policy?.replaceAll('&#39;', "'"), "default-src 'none'; style-src 'nonce-n0nce'");
    assert.match(page, /<style nonce="n0nce">/);
    assert.ok(
      !/<(img|script|link|iframe)|\bsrc=|href=|\sstyle=|url\(|@import/.test(page.replaceAll(/&#\d+;[^<]*/g, '')),
    );
    assert.ok(page.includes('&#60;img src=x'));
  }
});

test('topology page: all colours are the theme’s', () => {
  for (const [declaration] of STYLE.replaceAll('color-mix(in srgb,', '').matchAll(
    /(?:color|background|border[a-z-]*):[^;}]+/g,
  )) {
    assert.ok(!/#[0-9a-f]{3}|rgb|hsl|\b(black|white|gray|red|blue)\b/i.test(declaration), declaration);
  }
  assert.ok(STYLE.includes('color: var(--vscode-foreground)'));
});

test('html: values are escaped, templates are not', () => {
  const inner = html`<b>${'a & b'}</b>`;
  assert.equal(
    html`<p title="${'"x"'}">${inner}${[inner]}${3}</p>`.markup,
    '<p title="&#34;x&#34;"><b>a &#38; b</b><b>a &#38; b</b>3</p>',
  );
});
