import type { Connection } from 'vscode-languageserver/node';
import { TopologyRequest, type TopologyResult } from '../protocol';

/** Answers `monokernel/topology`. Two that come together share one look. */
export function registerTopology(connection: Connection, look: () => Promise<TopologyResult>): void {
  let underWay: Promise<TopologyResult> | undefined;
  connection.onRequest(TopologyRequest.method, () => {
    underWay ??= look().finally(() => {
      underWay = undefined;
    });
    return underWay;
  });
}
