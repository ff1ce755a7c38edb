/** The doctor's report where the server, which looks at the machine, gives none. */
import { sectionsText } from '../../../lsp-server/topology/report';

export interface Trouble {
  /** Of the extension. */
  version: string;
  /** Why there is no answer, for people. */
  reason: string;
  /** How the server last ended by itself; undefined if it never did. */
  lastEnd: string | undefined;
  /** Files of the extension that are not there. */
  missing: readonly string[];
}

/** What failed and what to do, in the form of the server's report. */
export function troubleReport({ version, reason, lastEnd, missing }: Trouble): string {
  const platform = `${process.platform}-${process.arch}`;
  const end = lastEnd === undefined ? [] : [`it last stopped by itself: ${lastEnd}`];
  return sectionsText([
    ['Extension', [`version ${version} on ${platform}`]],
    ['Server', ['does not answer', ...end]],
    ['Engine', ['not known, nor are processors and model: the server is what looks at them']],
    [
      'Problems',
      [
        ...missing.map((file) => `ERROR: ${file} is missing. Install the extension for ${platform} again.`),
        `ERROR: ${reason} Run "Monokernel: Restart the Language Server", then "Monokernel: Doctor" again.`,
        'hint: What the server last said is in the log: "Monokernel: Show Log".',
      ],
    ],
  ]);
}
