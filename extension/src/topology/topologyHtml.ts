/** The topology page: what runs, what is wrong, the GPUs and the CPU. Boxes are lists, so it reads as text too. */
import type { TopologyProblem, TopologyResult } from '../../../lsp-server/protocol';
import { cpuSection } from './cpuDrawing';
import { gpuSections } from './gpuDrawing';
import { empty, Html, html } from './html';
import { STYLE } from './style';
import { count } from './text';

/** The whole page. `nonce` lets its own style through; nothing else may be loaded, and no script runs. */
export function topologyHtml(box: TopologyResult, nonce: string): string {
  return pageOf(
    nonce,
    html`<h1>Topology</h1>
      ${summary(box)} ${problemSection(box.problems)} ${gpuSections(box)} ${cpuSection(box)}`,
  );
}

/** The page while there is nothing to show, or an error in its place. */
export function messageHtml(message: string, nonce: string): string {
  return pageOf(
    nonce,
    html`<h1>Topology</h1>
      <p role="status">${message}</p>`,
  );
}

function pageOf(nonce: string, body: Html): string {
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <title>Topology</title>
        <style nonce="${nonce}">
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <main>${body}</main>
      </body>
    </html>`.markup;
}

function summary({ engine, model, version }: TopologyResult): Html {
  const name = model.name ?? 'The model';
  const lanes = model.lanes !== undefined && model.lanes > 1 ? ` (${model.lanes} lanes)` : '';
  const runs =
    engine.running === undefined ? html`No model is loaded.` : html`${name}${lanes} runs on ${engine.running}.`;
  const choice =
    engine.chosen === undefined
      ? html`Nothing can run it: ${engine.why}.`
      : html`Setting “${engine.setting}”: ${where(engine)}, because ${engine.why}.`;
  return html`<p>${runs}</p>
    <p class="quiet">${choice}${version === '' ? '' : ` Engine ${version}.`}</p>`;
}

function where({ chosen, workers }: TopologyResult['engine']): string {
  return chosen === 'cpu' ? `the CPU with ${count(workers, 'worker')}` : `the GPU (${chosen ?? ''})`;
}

function problemSection(problems: readonly TopologyProblem[]): Html {
  if (problems.length === 0) return empty;
  return html`<section>
    <h2>${problems.some(({ severity }) => severity === 'error') ? 'What is wrong' : 'Worth knowing'}</h2>
    <ul>
      ${problems.map(
        ({ severity, what, remedy }) =>
          html`<li class="problem ${severity}">
            <p>${what}</p>
            <p class="quiet">${remedy}</p>
          </li>`,
      )}
    </ul>
  </section>`;
}
