/** What a page looks like to the eye. The programs run in the page, which is typed as nothing here: they are text. */
import type { Frame } from 'playwright-core';

/** Colours as [red, green, blue, alpha], 0..255 and 0..1. */
const COLOURS = `
  const parts = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const editor = () => {
    const digits = getComputedStyle(document.documentElement).getPropertyValue('--vscode-editor-background');
    return (digits.match(/[0-9a-f]{2}/gi) ?? []).map((pair) => parseInt(pair, 16));
  };`;

/** How bright the page's background is, 0..1. */
export async function brightness(page: Frame): Promise<number> {
  return page.evaluate<number>(`(() => { ${COLOURS}
    return editor().slice(0, 3).reduce((sum, value) => sum + value, 0) / (3 * 255);
  })()`);
}

/** Texts whose contrast to what is behind them is below 4.5 (WCAG 2.2, success criterion 1.4.3). */
export async function hardToRead(page: Frame): Promise<string[]> {
  return page.evaluate<string[]>(`(() => { ${COLOURS}
    const behind = (element) => {
      for (let at = element; at !== null; at = at.parentElement) {
        const colour = parts(getComputedStyle(at).backgroundColor);
        if ((colour[3] ?? 1) === 1) return colour;
      }
      return editor();
    };
    const luminance = (colour) => {
      const [red, green, blue] = colour.map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const contrast = (element) => {
      const back = behind(element);
      const front = parts(getComputedStyle(element).color);
      const alpha = front[3] ?? 1;
      const seen = front.slice(0, 3).map((value, at) => value * alpha + back[at] * (1 - alpha));
      const [dark, light] = [luminance(back), luminance(seen)].sort((one, other) => one - other);
      return (light + 0.05) / (dark + 0.05);
    };
    return [...document.querySelectorAll('main *')]
      .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== ''))
      .filter((element) => !(contrast(element) >= 4.5))
      .map((element) => element.tagName + ' ' + element.textContent.trim() + ' ' + contrast(element).toFixed(1));
  })()`);
}
