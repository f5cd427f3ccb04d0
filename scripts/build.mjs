// npm run build: the addon, the service, and the page, into prebuilds/ and dist/. With --without-addon only the latter
// two: setup.mjs builds the addon by itself, because a start goes on when that fails.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

if (!process.argv.includes('--without-addon')) run('native/build.mjs');
// Outputs of sources that were moved or removed must not stay, or they would be packed.
rmSync('dist', { recursive: true, force: true });
run('node_modules/typescript/bin/tsc');

// The page and its worker become one file each. esbuild does not check types: `npm run check` does.
await build({
  entryPoints: { main: 'src/page/main.ts', worker: 'src/page/stream/worker.ts' },
  outdir: 'dist/page',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  logLevel: 'warning',
});
// The page's other files are copied to the same folder, so that the page fetches nothing from elsewhere.
for (const name of ['index.html', 'style.css', 'icon.svg']) cpSync(`src/page/${name}`, `dist/page/${name}`);
const UPLOT = 'node_modules/uplot';
cpSync(`${UPLOT}/dist/uPlot.min.css`, 'dist/page/vendor/uplot.css');
cpSync(`${UPLOT}/LICENSE`, 'dist/page/vendor/uplot.LICENSE');

chmodSync('dist/cli/main.js', 0o755);
// This file is written last: without it setup.mjs repeats a build that failed.
writeFileSync('dist/.built', '');
