import { html } from './html';
import type { Html } from './html';

export const NOT_MEASURED = 'not measured';

/** "48 KiB", "32 MiB", "141 GB": powers of ten from a gigabyte up, as memories are sold. */
export function bytesText(bytes: number): string {
  if (bytes >= 1e9) return `${Math.round(bytes / 1e9)} GB`;
  return bytes >= 2 ** 20 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${Math.round(bytes / 2 ** 10)} KiB`;
}

/** "1 core", "2 cores". */
export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}

/** A table of names and values. */
export function rows(pairs: readonly (readonly [string, string])[]): Html {
  return html`<table>
    ${pairs.map(
      ([name, value]) =>
        html`<tr>
          <th scope="row">${name}</th>
          <td>${value}</td>
        </tr>`,
    )}
  </table>`;
}
