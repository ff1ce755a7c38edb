import type { CancellationToken } from 'vscode-languageserver-protocol';

/** The cancellation of a JSON-RPC request as the signal that everything below the protocol uses. */
export function abortSignal(token: CancellationToken): AbortSignal {
  const controller = new AbortController();
  if (token.isCancellationRequested) controller.abort();
  token.onCancellationRequested(() => {
    controller.abort();
  });
  return controller.signal;
}
