// npm run prebuilds: builds the addons that the package ships, checks them, and writes them to prebuilds/ without their
// symbols. Runs on Debian with the packages g++, g++-aarch64-linux-gnu, clang, lld and llvm.
//   npm run prebuilds -- [--out FOLDER] [target …]
// It is not called prebuild: npm would run a script of that name before each `npm run build`.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { RAW } from '../src/syscalls/levels/raw.js';
import { problemsOf } from './check-addon.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  options: { out: { type: 'string', default: path.join(root, 'prebuilds') } },
  allowPositionals: true,
});
const targets = positionals.length > 0 ? positionals : Object.keys(RAW);

/** Print one line and exit. */
function fail(line: string): never {
  console.error(`prebuilds: ${line}`);
  process.exit(1);
}

if (spawnSync('llvm-strip', ['--version']).error)
  fail('there is no llvm-strip, which strips the addons of every target: apt-get install llvm');

/** Build, check and strip one addon. @returns the stripped file's bytes */
function prebuild(target: string, work: string): Buffer {
  const { status } = spawnSync(process.execPath, [path.join(root, 'native/build.mjs'), '--out', work, target], {
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(1);
  const file = path.join(work, target, 'syswire.node');
  // A bundle keeps its symbols, a kilobyte when compressed: taking them out would break the linker's signature.
  if (target.startsWith('linux-')) execFileSync('llvm-strip', ['--strip-all', file]);
  const problems = problemsOf(target, file);
  if (problems.length > 0) fail(`the addon for ${target} cannot be shipped: ${problems.join('; ')}`);

  const folder = path.join(values.out, target);
  mkdirSync(folder, { recursive: true });
  // Renamed, so that a process that has the old file in its memory keeps it.
  const shipped = path.join(folder, 'syswire.node');
  copyFileSync(file, `${shipped}.new`);
  renameSync(`${shipped}.new`, shipped);
  return readFileSync(shipped);
}

const work = mkdtempSync(path.join(tmpdir(), 'syswire-prebuild-'));
process.once('exit', () => rmSync(work, { recursive: true, force: true }));
const sizes = targets.map((target) => {
  const bytes = prebuild(target, work);
  return { target, bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
});
const sum = (key: 'bytes' | 'gzip'): number => sizes.reduce((total, row) => total + row[key], 0);
const rows = [...sizes, { target: 'all', bytes: sum('bytes'), gzip: sum('gzip') }];
console.log('target          bytes   gzip');
for (const { target, bytes, gzip } of rows)
  console.log(`${target.padEnd(12)} ${`${bytes}`.padStart(8)} ${`${gzip}`.padStart(6)}`);
