/** The page's style: the theme's colours only, so that it reads in light, dark and high contrast. */
export const STYLE = `
body { padding: 0 1.5rem 2rem; max-width: 68rem; color: var(--vscode-foreground); font-size: var(--vscode-font-size); line-height: 1.5; }
h1 { font-size: 1.5em; font-weight: 600; margin: 1.25rem 0 0.25rem; }
h2 { font-size: 1.15em; font-weight: 600; margin: 2rem 0 0.5rem; }
h3 { font-size: 1em; font-weight: 600; margin: 0; }
p { margin: 0.25rem 0; }
ul { list-style: none; margin: 0; padding: 0; }
code { font-family: var(--vscode-editor-font-family); }
.quiet { color: var(--vscode-descriptionForeground); }
.problem { border-left: 3px solid var(--vscode-editorWarning-foreground); padding: 0.35rem 0.75rem; margin: 0.5rem 0; background: var(--vscode-textBlockQuote-background); }
.problem.error { border-color: var(--vscode-editorError-foreground); }
.box { border: 1px solid color-mix(in srgb, var(--vscode-foreground) 40%, transparent); border-radius: 4px; padding: 0.6rem 0.75rem; }
.outer { background: var(--vscode-sideBar-background); }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(12.5rem, 100%), 1fr)); gap: 0.6rem; margin-top: 0.5rem; }
.cells { display: grid; grid-template-columns: repeat(auto-fill, minmax(5.75rem, 1fr)); gap: 0.4rem; margin-top: 0.5rem; }
.cell { border: 1px solid var(--vscode-descriptionForeground); border-radius: 3px; padding: 0.25rem 0.5rem; background: var(--vscode-editor-background); }
.cell span { display: block; font-size: 0.9em; color: var(--vscode-descriptionForeground); }
.cell.used { border-color: var(--vscode-focusBorder); border-left-width: 4px; }
.cell.memory { border-style: dashed; }
table { border-collapse: collapse; margin-top: 0.5rem; }
th, td { text-align: left; font-weight: normal; padding: 0.15rem 1.5rem 0.15rem 0; vertical-align: top; }
th { color: var(--vscode-descriptionForeground); white-space: nowrap; }
`;
