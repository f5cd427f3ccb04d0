// Builds the addon with one compiler call. It needs neither Python nor a download.
//   node native/build.mjs [target …]      without a target: for this machine
// To add a target, add a row to TARGETS. node-gyp-build finds the result in prebuilds/.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const require = createRequire(import.meta.url);

const ELF = ['-shared', '-Wl,-z,noexecstack', '-Wl,-z,relro', '-Wl,-z,now'];
// dynamic_lookup: Node's own symbols are bound when the addon is loaded.
const MACH_O = ['-bundle', '-undefined', 'dynamic_lookup'];

// Where a platform does not have a level, its stub returns -ENOSYS.
const RAW_ONLY = ['stub/int80.cc', 'stub/uring.cc', 'stub/witness.cc'];

const TARGETS = {
  'linux-x64': {
    compiler: 'c++',
    flags: ELF,
    sources: [
      ...['arch/linux-x64.cc', 'arch/linux-x64-syscall.cc', 'int80.cc', 'uring.cc'],
      ...['arch/linux-x64-dispatch.cc', 'sigsys.cc', 'witness.cc', 'witness-names.cc'],
    ],
    hasWitness: true,
    file: 'syswire.glibc.node',
  },
  'linux-arm64': {
    compiler: 'aarch64-linux-gnu-g++',
    flags: ELF,
    sources: ['arch/linux-arm64.cc', 'arch/linux-arm64-syscall.cc', 'stub/int80.cc', 'uring.cc', 'stub/witness.cc'],
    file: 'syswire.glibc.node',
  },
  'darwin-x64': {
    compiler: 'c++',
    flags: ['-arch', 'x86_64', ...MACH_O],
    sources: ['arch/darwin-x64.cc', ...RAW_ONLY],
    file: 'syswire.node',
  },
  'darwin-arm64': {
    compiler: 'c++',
    flags: ['-arch', 'arm64', ...MACH_O],
    sources: ['arch/darwin-arm64.cc', ...RAW_ONLY],
    file: 'syswire.node',
  },
};
// The compilers in TARGETS cross-build. For this machine's own target the compiler is plain `c++`.
// A platform that is not in TARGETS gets the stubs of all levels.
const here = `${process.platform}-${process.arch}`;
const isMusl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
const native = {
  flags: ELF,
  sources: ['stub/raw.cc', ...RAW_ONLY],
  file: 'syswire.node',
  ...TARGETS[here],
  compiler: process.env.CXX ?? 'c++',
};
if (isMusl) native.file = native.file.replace('glibc', 'musl');

const FLAGS = [
  '-std=c++17',
  '-O2',
  '-fPIC',
  '-fvisibility=hidden',
  '-fno-exceptions',
  '-fno-rtti',
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

/**
 * Returns the names of the system calls in a header of the kernel, in the order of their numbers. Without the header
 * there are none, and the witness lists numbers only.
 */
function systemCalls(compiler, header) {
  const args = ['-E', '-dM', '-x', 'c++', '-include', header, '/dev/null'];
  const { stdout, status } = spawnSync(compiler, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  if (status !== 0) {
    console.error(
      `native/build.mjs: no <${header}>, so the witness names no system calls (Alpine: apk add linux-headers)`,
    );
    return '';
  }
  const names = [];
  for (const [, name, number] of stdout.matchAll(/^#define __NR_(\w+) (\d+)$/gm)) names[number] = name;
  return Array.from(names, (name) => name ?? '').join(' ');
}

/** Writes the header that native/witness.cc includes. */
function writeNames(compiler, folder) {
  const tables = Object.entries({ SYSTEM_CALLS_64: 'asm/unistd_64.h', SYSTEM_CALLS_32: 'asm/unistd_32.h' });
  const lines = tables.map(([table, header]) => `constexpr char ${table}[] = "${systemCalls(compiler, header)}";\n`);
  writeFileSync(path.join(folder, 'syscall-names.h'), lines.join(''));
}

function build(name) {
  const target = name === here ? native : TARGETS[name];
  if (!target) throw `no target ${name}; there are ${Object.keys(TARGETS).join(', ')}`;
  const folder = path.join(root, '..', 'prebuilds', name);
  mkdirSync(folder, { recursive: true });
  const generated = mkdtempSync(path.join(tmpdir(), 'syswire-'));
  if (target.hasWitness) writeNames(target.compiler, generated);
  const headers = [generated, require('node-api-headers').include_dir, require('node-addon-api').include_dir];
  const args = [
    ...FLAGS,
    ...headers.flatMap((dir) => ['-isystem', dir]),
    ...target.flags,
    // After our own flags, so that CXXFLAGS win, as with make. Like CXX, they apply to this machine's compiler only.
    ...(target === native ? (process.env.CXXFLAGS ?? '').split(/\s+/).filter(Boolean) : []),
    '-o',
    path.join(folder, target.file),
    ...['addon.cc', 'addon-witness.cc', 'watchdog.cc', ...target.sources].map((source) => path.join(root, source)),
  ];
  try {
    execFileSync(target.compiler, args, { stdio: ['ignore', 2, 2] });
  } catch (error) {
    if (error.code !== 'ENOENT') throw `${target.compiler} could not build the addon for ${name}`;
    throw `no C++ compiler '${target.compiler}': install one (Debian: apt-get install g++; Fedora: dnf install gcc-c++; Alpine: apk add g++; macOS: xcode-select --install)`;
  } finally {
    rmSync(generated, { recursive: true });
  }
}

const names = process.argv.slice(2);
// Not on Windows: its system call numbers change between builds, so it has no addon.
if (names.length === 0 && process.platform !== 'win32') names.push(here);
try {
  for (const name of names) build(name);
} catch (error) {
  if (typeof error !== 'string') throw error;
  console.error(`native/build.mjs: ${error}`);
  process.exitCode = 1;
}
