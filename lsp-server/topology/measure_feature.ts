import type { CancellationToken, Connection } from 'vscode-languageserver/node';
import { abortSignal } from '../abort_signal';
import { MeasureMemoryRequest, type MeasuredGpu } from '../protocol';

/** Answers `monokernel/measureMemory`, one request after the other. */
export function registerMeasureMemory(
  connection: Connection,
  measure: (signal: AbortSignal) => Promise<MeasuredGpu[]>,
): void {
  connection.onRequest(MeasureMemoryRequest.method, (_: object, token: CancellationToken) =>
    measure(abortSignal(token)),
  );
}
