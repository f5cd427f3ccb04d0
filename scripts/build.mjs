// npm run build: the addon, the service, and the page, into prebuilds/ and dist/.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

run('native/build.mjs');
run('node_modules/typescript/bin/tsc');
run('node_modules/typescript/bin/tsc', '-p', 'src/page');

// What the browser gets besides: all from one folder, so that the page fetches nothing from elsewhere.
for (const name of ['index.html', 'style.css', 'icon.svg']) cpSync(`src/page/${name}`, `dist/page/${name}`);
const UPLOT = 'node_modules/uplot';
cpSync(`${UPLOT}/dist/uPlot.esm.js`, 'dist/page/vendor/uplot.js');
cpSync(`${UPLOT}/dist/uPlot.min.css`, 'dist/page/vendor/uplot.css');
cpSync(`${UPLOT}/LICENSE`, 'dist/page/vendor/uplot.LICENSE');

chmodSync('dist/cli/main.js', 0o755);
// Last, so that a build that failed is made again: see setup.mjs.
writeFileSync('dist/.built', '');
