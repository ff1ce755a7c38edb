/** Completions switched off for a while. */
import * as vscode from 'vscode';

export const SNOOZE_MINUTES = 5;

export class Snooze implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  #timer: NodeJS.Timeout | undefined;

  readonly onDidChange = this.#changed.event;

  get active(): boolean {
    return this.#timer !== undefined;
  }

  start(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.end();
    }, SNOOZE_MINUTES * 60_000);
    this.#changed.fire();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#changed.fire();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#changed.dispose();
  }
}
