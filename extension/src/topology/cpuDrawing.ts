/** The CPU as nested boxes: sockets, NUMA nodes, cores with the workers that are pinned to them. */
import type { TopologyResult } from '../../../lsp-server/protocol';
import { empty, html } from './html';
import type { Html } from './html';
import { bytesText, count, NOT_MEASURED, rows } from './text';

type Core = TopologyResult['cpu']['cores'][number];

export function cpuSection(box: TopologyResult): Html {
  const { cpu } = box;
  if (cpu.cores.length === 0) return empty;
  const sockets = distinct(cpu.cores.map(({ package: socket }) => socket));
  return html`<section>
    <h2>CPU: ${cpu.name === '' ? 'unknown processor' : cpu.name}</h2>
    <ul class="row">
      ${sockets.map((socket) => socketBox(box, socket))}
    </ul>
    ${rows(factRows(box))}
  </section>`;
}

function socketBox(box: TopologyResult, socket: number): Html {
  const cores = box.cpu.cores.filter((core) => core.package === socket);
  const nodes = distinct(cores.map(({ node }) => node));
  return html`<li class="box outer">
    <h3>Socket ${socket}</h3>
    <ul class="row">
      ${nodes.map((node) => nodeBox(box, node, cores))}
    </ul>
  </li>`;
}

function nodeBox(box: TopologyResult, node: number, coresOfSocket: readonly Core[]): Html {
  const cores = coresOfSocket.filter((core) => core.node === node);
  const memory = box.cpu.nodes.find(({ index }) => index === node)?.memoryBytes ?? 0;
  return html`<li class="box">
    <h3>NUMA node ${node}</h3>
    <p class="quiet">${memory > 0 ? `${bytesText(memory)} of memory, ` : ''}${count(cores.length, 'core')}</p>
    <ul class="cells">
      ${cores.map((core) => coreCell(box, core))}
    </ul>
  </li>`;
}

function coreCell(box: TopologyResult, core: Core): Html {
  const worker = box.engine.chosen === 'cpu' ? core.worker : undefined;
  if (worker === undefined) return html`<li class="cell">Core ${core.processor}<span>no worker</span></li>`;
  return html`<li class="cell used">Core ${core.processor}<span>worker ${worker}</span></li>`;
}

function factRows({ cpu, instructionSets }: TopologyResult): [string, string][] {
  const caches = cpu.caches.map(({ level, type, bytes, count: number, sharedBy }): [string, string] => {
    const kind = type === 'Unified' ? '' : ` ${type.toLowerCase()}`;
    const shared = sharedBy > 1 ? `, each shared by ${sharedBy} cores` : ', one a core';
    return [`L${level}${kind} cache`, `${number} of ${bytesText(bytes)}${shared}`];
  });
  const remote: [string, string][] = cpu.nodes.length > 1 ? [['Memory of another node', NOT_MEASURED]] : [];
  return [
    ...caches,
    ...remote,
    ['Instruction sets, best first', instructionSets.length === 0 ? 'unknown' : instructionSets.join(', ')],
  ];
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].sort((one, other) => one - other);
}
