/**
 * Bundles the two programs of the extension: the VS Code client and the language server.
 * Usage: node esbuild.mjs [--production] [--watch]
 */
import * as esbuild from 'esbuild';

const production = process.argv.includes('--production');
const watch = process.argv.includes('--watch');

/** @type {esbuild.BuildOptions} */
const shared = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  minify: production,
  keepNames: true,
  sourcemap: production ? false : 'linked',
  logLevel: 'info',
};

const programs = [
  { entryPoints: { extension: 'extension/src/extension.ts' }, external: ['vscode'] },
  { entryPoints: { server: 'lsp-server/server.ts', complete: 'lsp-server/cli.ts', doctor: 'lsp-server/doctor.ts' } },
];

for (const program of programs) {
  const options = { ...shared, ...program, outdir: 'dist' };
  if (watch) {
    const context = await esbuild.context(options);
    await context.watch();
  } else {
    await esbuild.build(options);
  }
}
