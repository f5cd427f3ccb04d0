// npm run build: the addon, the service, and the page, into prebuilds/ and dist/. With --without-addon only the latter
// two: setup.mjs builds the addon by itself, because a start goes on when that fails.
//
// The service becomes a few files with its packages inside, so that an installation has two packages instead of 110. The
// second is koffi's binary.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { thirdPartyLicenses } from './third-party.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

if (!process.argv.includes('--without-addon')) run('native/build.mjs');
// Outputs of sources that were moved or removed must not stay, or they would be packed.
rmSync('dist', { recursive: true, force: true });

// --- Types: those of the library's two entry points ------------------------------------------------------

const types = mkdtempSync(path.join(tmpdir(), 'syswire-types-'));
process.on('exit', () => rmSync(types, { recursive: true, force: true }));
run('node_modules/typescript/bin/tsc', '--emitDeclarationOnly', '--outDir', types);

/** Copies a file of types, and those that it imports. */
function copyTypes(name) {
  const text = readFileSync(path.join(types, name), 'utf8');
  cpSync(path.join(types, name), path.join('dist', name));
  for (const [, imported] of text.matchAll(/(?:from|import) ['"](.+?)['"]/g)) {
    // A user has neither our packages nor, perhaps, @types/node.
    if (!imported.startsWith('.')) throw new Error(`${name}: the library's types must not import '${imported}'`);
    copyTypes(path.join(path.dirname(name), imported.replace(/\.js$/, '.d.ts')));
  }
}
for (const name of ['server/library.d.ts', 'syscalls/index.d.ts']) copyTypes(name);

// Names stay, and lines too: an error's stack says where it came from.
const SMALL = { minifyWhitespace: true, lineLimit: 120 };

// --- The service -------------------------------------------------------------------------------------------

const service = await build({
  entryPoints: ['src/cli/main.ts', 'src/server/library.ts', 'src/syscalls/index.ts'],
  outdir: 'dist',
  outbase: 'src',
  // Chunks are two folders below the package, as the sources are that look for its files: syscalls/root.ts.
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  // Modules that are imported with import() stay apart: `syswire call` does not load the server.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // ws works without these two, and its users may install them.
  external: ['bufferutil', 'utf-8-validate'],
  // Packages that are CommonJS load Node's modules with require().
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
  },
  ...SMALL,
  metafile: true,
  logLevel: 'warning',
});

// Swagger UI's own files. Its third script, swagger-ui.js, is another form of the bundle.
const SWAGGER_UI = [
  ...['swagger-ui-bundle.js', 'swagger-ui-standalone-preset.js', 'swagger-ui.css', 'index.css', 'logo.svg'],
  ...['favicon-16x16.png', 'favicon-32x32.png', 'oauth2-redirect.html', 'oauth2-redirect.js'],
];
for (const name of SWAGGER_UI) cpSync(`node_modules/@fastify/swagger-ui/static/${name}`, `dist/swagger-ui/${name}`);

// --- The page ----------------------------------------------------------------------------------------------

// The page and its worker become one file each. esbuild does not check types: `npm run check` does.
const page = await build({
  entryPoints: { main: 'src/page/main.ts', worker: 'src/page/stream/worker.ts' },
  outdir: 'dist/page',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  ...SMALL,
  metafile: true,
  logLevel: 'warning',
});
// The page's other files are copied to the same folder, so that the page fetches nothing from elsewhere.
for (const name of ['index.html', 'style.css', 'icon.svg']) cpSync(`src/page/${name}`, `dist/page/${name}`);
const UPLOT = 'node_modules/uplot';
cpSync(`${UPLOT}/dist/uPlot.min.css`, 'dist/page/vendor/uplot.css');
cpSync(`${UPLOT}/LICENSE`, 'dist/page/vendor/uplot.LICENSE');

// --- What goes with them -------------------------------------------------------------------------------------

const inputs = [service, page].flatMap(({ metafile }) => Object.keys(metafile.inputs));
writeFileSync('dist/THIRD-PARTY-LICENSES', thirdPartyLicenses(inputs));
chmodSync('dist/cli/main.js', 0o755);
// This file is written last: without it setup.mjs repeats a build that failed.
writeFileSync('dist/.built', '');
