// Builds the addon: one compiler call, no Python, no download.
//   node native/build.mjs [target …]      this machine's target when none is named
// TARGETS is the only place that knows targets; node-gyp-build finds what lands in prebuilds/.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const require = createRequire(import.meta.url);

const ELF = ['-shared', '-Wl,-z,noexecstack', '-Wl,-z,relro', '-Wl,-z,now'];
// Node's own symbols are bound when the addon is loaded.
const MACH_O = ['-bundle', '-undefined', 'dynamic_lookup'];

const RAW_ONLY = ['int80-none.cc', 'uring-none.cc'];

const TARGETS = {
  'linux-x64': {
    compiler: 'c++',
    flags: ELF,
    sources: ['arch/linux-x64.cc', 'arch/linux-x64-calls.cc', 'int80.cc', 'uring.cc'],
    file: 'syswire.glibc.node',
  },
  'linux-arm64': {
    compiler: 'aarch64-linux-gnu-g++',
    flags: ELF,
    sources: ['arch/linux-arm64.cc', 'arch/linux-arm64-calls.cc', 'int80-none.cc', 'uring.cc'],
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
// Everywhere else the addon builds and says ENOSYS; on a machine of its own, a target's compiler is plain `c++`.
const here = `${process.platform}-${process.arch}`;
const isMusl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
const ours = {
  flags: ELF,
  sources: ['arch/unsupported.cc', ...RAW_ONLY],
  file: 'syswire.node',
  ...TARGETS[here],
  compiler: process.env.CXX ?? 'c++',
};
if (isMusl) ours.file = ours.file.replace('glibc', 'musl');

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
  // A thread that is ended in the middle of a call can throw no more: without this the process would end with it.
  '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
];

function build(name) {
  const target = name === here ? ours : TARGETS[name];
  if (!target) throw `no target ${name}; there are ${Object.keys(TARGETS).join(', ')}`;
  const folder = path.join(root, '..', 'prebuilds', name);
  mkdirSync(folder, { recursive: true });
  const headers = [require('node-api-headers').include_dir, require('node-addon-api').include_dir];
  const args = [
    ...FLAGS,
    ...headers.flatMap((dir) => ['-isystem', dir]),
    ...target.flags,
    // As make does it: behind ours, so that they win. They are for this machine's compiler, as CXX is.
    ...(target === ours ? (process.env.CXXFLAGS ?? '').split(/\s+/).filter(Boolean) : []),
    '-o',
    path.join(folder, target.file),
    ...['addon.cc', ...target.sources].map((source) => path.join(root, source)),
  ];
  try {
    execFileSync(target.compiler, args, { stdio: ['ignore', 2, 2] });
  } catch (error) {
    if (error.code !== 'ENOENT') throw `${target.compiler} could not build the addon for ${name}`;
    throw `no C++ compiler '${target.compiler}': install one (Debian: apt-get install g++; Fedora: dnf install gcc-c++; Alpine: apk add g++; macOS: xcode-select --install)`;
  }
}

// Windows has no system call numbers to rely on, so there is nothing to build there.
const wanted = process.argv.slice(2);
if (wanted.length === 0 && process.platform !== 'win32') wanted.push(here);
try {
  for (const name of wanted) build(name);
} catch (error) {
  if (typeof error !== 'string') throw error;
  console.error(`native/build.mjs: ${error}`);
  process.exitCode = 1;
}
