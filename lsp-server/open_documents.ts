import path from 'node:path';
import type { Connection, TextDocuments, WorkspaceFolder } from 'vscode-languageserver/node';
import type { TextDocument } from 'vscode-languageserver-textdocument';

/** The documents that are open in the editor. */
export type OpenDocuments = TextDocuments<TextDocument>;

/** The folders of the workspace, kept up to date. */
export class WorkspacePaths {
  private folders: readonly WorkspaceFolder[] = [];

  /** Takes the folders of `initialize`. */
  set(folders: readonly WorkspaceFolder[]): void {
    this.folders = folders;
  }

  /** Follows changes; to be called when the client is ready. */
  follow(connection: Connection): void {
    connection.workspace.onDidChangeWorkspaceFolders(({ added, removed }) => {
      const gone = new Set(removed.map((folder) => folder.uri));
      this.folders = [...this.folders.filter((folder) => !gone.has(folder.uri)), ...added];
    });
  }

  /** A document's path as a prompt shows it: inside its folder with forward slashes, else its file name. */
  relative(uri: string): string {
    const folder = this.folders
      .map((candidate) => candidate.uri.replace(/\/$/, '') + '/')
      .filter((start) => uri.startsWith(start))
      .reduce((longest, start) => (start.length > longest.length ? start : longest), '');
    const encoded = folder === '' ? path.posix.basename(uri) : uri.slice(folder.length);
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  }
}
