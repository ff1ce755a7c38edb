import type { Connection } from 'vscode-languageserver/node';
import type { NotificationType } from 'vscode-languageserver-protocol';

/**
 * Sends one of our own notifications. By its method: client and server libraries bring different versions of the class
 * that `protocol.ts` describes messages with. A client that is gone is no error; the server ends by itself then.
 */
export function sendToClient<Params>(connection: Connection, type: NotificationType<Params>, params: Params): void {
  connection.sendNotification(type.method, params).catch(() => undefined);
}
