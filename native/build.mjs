// Builds the addon with one compiler call. It needs neither Python nor a download.
//   node native/build.mjs [--out FOLDER] [target …]      without a target: for this machine
// The result is <platform>-<arch>/syswire.node in FOLDER. In prebuilds/, which is used without --out,
// src/syscalls/bindings/addon.ts opens it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeSystemCalls } from './system-calls.mjs';
import { HERE, planOf } from './targets.mjs';

const { values, positionals: names } = parseArgs({
  options: { out: { type: 'string', default: fileURLToPath(new URL('../prebuilds', import.meta.url)) } },
  allowPositionals: true,
});
const require = createRequire(import.meta.url);

const FLAGS = [
  '-std=c++17',
  // Not -Os: it calls functions of std::string that -O2 makes inline, and the addon has no C++ library.
  '-O2',
  '-fPIC',
  '-fvisibility=hidden',
  '-fno-exceptions',
  '-fno-rtti',
  '-ffunction-sections',
  '-fdata-sections',
  // Some distributions turn these on. They call functions that are not the same in glibc and musl.
  '-fno-stack-protector',
  '-U_FORTIFY_SOURCE',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-DNAPI_VERSION=8',
  '-DNAPI_DISABLE_CPP_EXCEPTIONS',
  '-DNODE_ADDON_API_DISABLE_DEPRECATED',
  // A worker thread that is terminated during a call can no longer throw. Without this flag node-addon-api would then
  // end the whole process.
  '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
];

/** Returns the folders with the headers of Node-API. */
function headers() {
  try {
    return [require('node-api-headers').include_dir, require('node-addon-api').include_dir];
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    throw 'node-api-headers and node-addon-api are not installed: run npm ci';
  }
}

function build(name) {
  const { compiler, flags, sources, namesSystemCalls, remedy } = planOf(name);
  const [command, ...first] = compiler;
  const folder = path.join(values.out, name);
  mkdirSync(folder, { recursive: true });
  const generated = mkdtempSync(path.join(tmpdir(), 'syswire-'));
  if (namesSystemCalls) writeSystemCalls(generated, compiler);
  const args = [
    ...first,
    ...FLAGS,
    ...[generated, ...headers()].flatMap((dir) => ['-isystem', dir]),
    ...flags,
    '-o',
    path.join(folder, 'syswire.node'),
    ...sources,
  ];
  try {
    execFileSync(command, args, { stdio: ['ignore', 2, 2] });
  } catch (error) {
    if (error.code !== 'ENOENT') throw `${compiler.join(' ')} could not build the addon for ${name}`;
    throw `there is no C++ compiler '${command}' for ${name}: ${remedy}`;
  } finally {
    rmSync(generated, { recursive: true });
  }
}

// Not on Windows: its system call numbers change between builds, so it has no addon.
if (names.length === 0 && process.platform !== 'win32') names.push(HERE);
try {
  for (const name of names) build(name);
} catch (error) {
  if (typeof error !== 'string') throw error;
  console.error(`native/build.mjs: ${error}`);
  process.exitCode = 1;
}
