// Builds the addon with one compiler call. It needs neither Python nor a download.
//   node native/build.mjs [--out FOLDER] [--quiet] [target …]      without a target: for this machine
// The result is <platform>-<arch>/syswire.node in FOLDER. In prebuilds/, which is used without --out,
// src/syscalls/bindings/addon.ts opens it. A build that failed leaves its reason beside, in failed.txt, and the service
// tells it: with --quiet only the compiler prints.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeSystemCalls } from './system-calls.mjs';
import { HERE, planOf } from './targets.mjs';

const { values, positionals: names } = parseArgs({
  options: {
    out: { type: 'string', default: fileURLToPath(new URL('../prebuilds', import.meta.url)) },
    quiet: { type: 'boolean' },
  },
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

/** Compiles an addon, and what is generated for it, in a folder of its own. */
function compile(name, { compiler, flags, sources, namesSystemCalls, remedy }, folder) {
  const [command, ...first] = compiler;
  const missing = namesSystemCalls ? writeSystemCalls(folder, compiler) : [];
  const args = [
    ...first,
    ...FLAGS,
    ...[folder, ...headers()].flatMap((dir) => ['-isystem', dir]),
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
  }
  for (const header of missing)
    console.error(`native/build.mjs: no <${header}>: the witness shows numbers (Alpine: apk add linux-headers)`);
}

function build(name) {
  const plan = planOf(name);
  const folder = path.join(values.out, name);
  const failed = path.join(folder, 'failed.txt');
  mkdirSync(folder, { recursive: true });
  rmSync(failed, { force: true });
  // Linked elsewhere and renamed: a build that is interrupted leaves no half file, which would end every process that
  // loads it with SIGBUS.
  const fresh = mkdtempSync(path.join(folder, 'new-'));
  try {
    compile(name, plan, fresh);
    renameSync(path.join(fresh, 'syswire.node'), path.join(folder, 'syswire.node'));
  } catch (error) {
    if (typeof error === 'string') writeFileSync(failed, `${error}\n`);
    throw error;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

// Not on Windows: its system call numbers change between builds, so it has no addon.
if (names.length === 0 && process.platform !== 'win32') names.push(HERE);
try {
  for (const name of names) build(name);
} catch (error) {
  if (typeof error !== 'string') throw error;
  if (!values.quiet) console.error(`native/build.mjs: ${error}`);
  process.exitCode = 1;
}
