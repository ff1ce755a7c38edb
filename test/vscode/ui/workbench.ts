/** VS Code as a person handles it: by keyboard and mouse, reading what is on the screen. */
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import type { Frame, Locator, Page } from 'playwright-core';
import { OUT } from '../host/run';
import { until } from '../waiting';

export const SCREENSHOTS = path.join(OUT, 'screenshots');

export class Workbench {
  /** The one status bar item of the extension. */
  readonly status: Locator;
  /** The editor that has the focus. */
  readonly editor: Locator;
  /** Pieces of ghost text on the screen. */
  readonly ghost: Locator;
  readonly toasts: Locator;

  constructor(readonly page: Page) {
    this.status = page.locator('[id="monokernel.monokernel.status"]');
    this.editor = page.locator('.editor-group-container.active .editor-instance .monaco-editor').first();
    this.ghost = page.locator('.ghost-text-decoration, .ghost-text').filter({ visible: true });
    this.toasts = page.locator('.notification-toast');
  }

  /** Waits for the status bar to say something. */
  async statusSays(pattern: RegExp, timeout = 60_000): Promise<void> {
    await this.status.filter({ hasText: pattern }).waitFor({ timeout });
  }

  /** Waits for the status bar to show a codicon. */
  async statusShows(icon: string, timeout = 60_000): Promise<void> {
    await this.status.locator(`.codicon-${icon}`).waitFor({ timeout });
  }

  /** Types as a person does, key by key. */
  async type(text: string): Promise<void> {
    await this.page.keyboard.type(text, { delay: 35 });
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Runs a command by its title in the palette. */
  async command(title: string): Promise<void> {
    await this.ask(`>${title}`, this.row(title));
    await this.press('Enter');
  }

  /** Opens a file of the workspace by its name. */
  async openFile(name: string): Promise<void> {
    await this.ask(name, this.row(name));
    await this.press('Enter');
    await this.page.locator('.tab.active', { hasText: name }).waitFor();
    await this.editor.locator('.view-line').first().waitFor();
  }

  /** Puts the cursor behind the last character of a line, counted from 1. */
  async goToEnd(line: number): Promise<void> {
    await this.ask(`:${line}`, this.quickInput());
    await this.press('Enter');
    await this.quickInput().waitFor({ state: 'hidden' });
    await this.press('End');
  }

  /** Types a folder's path into the dialog for it, which follows as one types, and confirms. */
  async chooseFolder(folder: string, button: string): Promise<void> {
    await this.row('..').waitFor();
    await this.press('Control+A');
    await this.page.keyboard.insertText(`${folder}/`);
    await this.page.waitForTimeout(1_000);
    const shown = await this.quickInput().inputValue();
    if (shown !== `${folder}/`) throw new Error(`the dialog shows ${shown}`);
    await this.page.locator('.quick-input-widget .monaco-button', { hasText: button }).click();
  }

  /** Ghost text on the screen, as one string; waits for some. */
  async ghostText(timeout = 20_000): Promise<string> {
    await this.ghost.first().waitFor({ timeout });
    return plain((await this.ghost.allInnerTexts()).join(''));
  }

  /** The visible lines of the editor, from the top. */
  async lines(): Promise<string[]> {
    const lines = await this.editor.locator('.view-line').all();
    const placed = await Promise.all(
      lines.map(async (line) => ({ top: (await line.boundingBox())?.y ?? 0, text: plain(await line.innerText()) })),
    );
    return placed.sort((one, other) => one.top - other.top).map(({ text }) => text);
  }

  /** The text of the Markdown preview, which lives in a frame of a frame; empty while there is none. */
  async previewText(): Promise<string> {
    for (const frame of this.page.frames()) {
      const body = frame.locator('.markdown-body');
      if ((await body.count().catch(() => 0)) > 0)
        return body
          .first()
          .innerText({ timeout: 2_000 })
          .catch(() => '');
    }
    return '';
  }

  /** The frame of a webview that shows something like this; undefined while there is none. */
  async webview(selector: string): Promise<Frame | undefined> {
    for (const frame of this.page.frames()) {
      if (
        await frame
          .locator(selector)
          .first()
          .isVisible()
          .catch(() => false)
      )
        return frame;
    }
    return undefined;
  }

  async screenshot(name: string): Promise<string> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    const file = path.join(SCREENSHOTS, `${name}.png`);
    await this.page.screenshot({ path: file });
    return file;
  }

  /** The picture at the head of the README: tabs, editor and status bar, in twice the resolution. */
  async pictureForReadme(): Promise<void> {
    const { width, height } = this.page.viewportSize() ?? { width: 0, height: 0 };
    const tabs = await this.page.locator('.editor-group-container.active .title').first().boundingBox();
    const [x, y] = [tabs?.x ?? 0, tabs?.y ?? 0];
    const clip = { x, y, width: width - x, height: height - y, scale: 2 };
    const devtools = await this.page.context().newCDPSession(this.page);
    const { data } = await devtools.send('Page.captureScreenshot', { format: 'png', clip });
    await devtools.detach();
    writeFileSync(path.join(SCREENSHOTS, 'readme.png'), Buffer.from(data, 'base64'));
  }

  /** Closes what pops up over the editor. */
  async clearToasts(): Promise<void> {
    await this.command('Notifications: Clear All Notifications');
    await this.toasts.first().waitFor({ state: 'detached' });
  }

  /**
   * Opens the palette, types into it and waits for what it is to show. A webview that takes the focus back, late on a
   * busy machine, closes the palette under one's hands: then one opens it again.
   */
  private async ask(text: string, shown: Locator): Promise<void> {
    const attempt = async () => {
      await this.press('F1');
      await this.quickInput().fill(text, { timeout: 5_000 });
      await shown.waitFor({ timeout: 5_000 });
    };
    await until(`a palette that shows ${text}`, () =>
      attempt().then(
        () => true,
        () => false,
      ),
    );
  }

  quickInput(): Locator {
    return this.page.locator('.quick-input-widget input.input');
  }

  row(text: string): Locator {
    return this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first();
  }
}

/** The editor draws spaces as U+00A0, and invisible marks besides. */
function plain(text: string): string {
  return text.replace(/\u00a0/g, ' ').replace(/\u200b/g, '');
}
