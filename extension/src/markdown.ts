/** `text` as Markdown that shows it literally. Unlike VS Code's own escaping it keeps spaces, so that lines can wrap. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-!<>|&~]/g, '\\$&');
}
