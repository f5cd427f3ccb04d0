// Builds the addon with one compiler call. It needs neither Python nor a download.
//   node native/build.mjs [target …]      without a target: for this machine
// To add a target, add a row to TARGETS. node-gyp-build finds the result in prebuilds/.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const require = createRequire(import.meta.url);

const ELF = ['-shared', '-Wl,-z,noexecstack', '-Wl,-z,relro', '-Wl,-z,now'];
// dynamic_lookup: Node's own symbols are bound when the addon is loaded.
const MACH_O = ['-bundle', '-undefined', 'dynamic_lookup'];

// Where a platform does not have a level, its stub returns -ENOSYS.
const RAW_ONLY = ['stub/int80.cc', 'stub/uring.cc'];

const TARGETS = {
  'linux-x64': {
    compiler: 'c++',
    flags: ELF,
    sources: ['arch/linux-x64.cc', 'arch/linux-x64-syscall.cc', 'int80.cc', 'uring.cc'],
    file: 'syswire.glibc.node',
  },
  'linux-arm64': {
    compiler: 'aarch64-linux-gnu-g++',
    flags: ELF,
    sources: ['arch/linux-arm64.cc', 'arch/linux-arm64-syscall.cc', 'stub/int80.cc', 'uring.cc'],
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

function build(name) {
  const target = name === here ? native : TARGETS[name];
  if (!target) throw `no target ${name}; there are ${Object.keys(TARGETS).join(', ')}`;
  const folder = path.join(root, '..', 'prebuilds', name);
  mkdirSync(folder, { recursive: true });
  const headers = [require('node-api-headers').include_dir, require('node-addon-api').include_dir];
  const args = [
    ...FLAGS,
    ...headers.flatMap((dir) => ['-isystem', dir]),
    ...target.flags,
    // After our own flags, so that CXXFLAGS win, as with make. Like CXX, they apply to this machine's compiler only.
    ...(target === native ? (process.env.CXXFLAGS ?? '').split(/\s+/).filter(Boolean) : []),
    '-o',
    path.join(folder, target.file),
    ...['addon.cc', 'watchdog.cc', ...target.sources].map((source) => path.join(root, source)),
  ];
  try {
    execFileSync(target.compiler, args, { stdio: ['ignore', 2, 2] });
  } catch (error) {
    if (error.code !== 'ENOENT') throw `${target.compiler} could not build the addon for ${name}`;
    throw `no C++ compiler '${target.compiler}': install one (Debian: apt-get install g++; Fedora: dnf install gcc-c++; Alpine: apk add g++; macOS: xcode-select --install)`;
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
