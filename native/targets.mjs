// The one table of targets: what each is made of, and by which compiler. To add a target, add a row.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const inFolder = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The two functions that Node looks up in an addon. */
export const EXPORTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

const ELF = [
  '-shared',
  '-Wl,--gc-sections',
  `-Wl,--version-script=${inFolder('exports.map')}`,
  // No identity and no path: the same sources give the same bytes.
  '-Wl,--build-id=none',
  // Also in musl, and in glibc since 2006.
  '-Wl,--hash-style=gnu',
  ...['noexecstack', 'relro', 'now'].map((keyword) => `-Wl,-z,${keyword}`),
];
// No library, so that one file works under glibc and under musl: the process has what is left undefined. An undefined
// symbol of a library would also have that library's version, which musl does not have.
const ANY_LIBC = [...ELF, '-nostdlib'];
// dynamic_lookup: Node's own symbols are bound when the addon is loaded.
const MACH_O = [
  '-bundle',
  '-Wl,-undefined,dynamic_lookup',
  '-Wl,-dead_strip',
  ...EXPORTS.map((name) => `-Wl,-exported_symbol,_${name}`),
];

const COMMON = ['addon.cc', 'addon-witness.cc', 'watchdog.cc', 'memory.cc'];
// Where a platform does not have a level, its stub returns -ENOSYS.
const RAW_ONLY = ['stub/int80.cc', 'stub/uring.cc', 'stub/witness.cc'];

/** The flags of a Mac's own compiler. @param arch Apple's name of the CPU */
const onMac = (arch) => ['-arch', arch, ...MACH_O];

/**
 * The flags of LLVM's compiler on Linux. It has neither headers nor libraries of macOS, so it takes the headers of the
 * Linux compiler for the same CPU: the addon uses types and inline functions of C++, and a few functions of C whose
 * declarations are the same everywhere. Constants and structures that differ are in stub/enosys.h and
 * arch/darwin-signal.h.
 */
function withoutSdk(compiler, arch, linux) {
  const { stderr, error } = spawnSync(compiler[0], [
    ...compiler.slice(1),
    ...['-target', `${linux}-linux-gnu`, '-E', '-v', '-x', 'c++', '/dev/null'],
  ]);
  if (error) return [];
  const [, list = ''] = /^#include <\.\.\.>.*\n((?: .*\n)*)/m.exec(stderr) ?? [];
  const folders = list.split('\n').flatMap((line) => line.trim() || []);
  if (!folders.some((folder) => folder.includes('c++')))
    throw `${compiler.join(' ')} finds no C++ headers for ${linux}: apt-get install g++-${linux.replace('_', '-')}-linux-gnu`;
  const linker = spawnSync(compiler[0], [...compiler.slice(1), '-print-prog-name=ld64.lld'], { encoding: 'utf8' });
  if (!linker.stdout.includes('/')) throw `${compiler.join(' ')} finds no linker for macOS: apt-get install lld`;
  return [
    ...['-target', `${arch}-apple-macos11`, '-nostdinc++', '-nostdlibinc'],
    // glibc defines __nonnull, which is a word of Clang's for Apple, and libstdc++ needs glibc's extensions.
    ...['-U__nonnull', '-D_GNU_SOURCE'],
    ...folders.flatMap((folder) => ['-isystem', folder]),
    ...MACH_O,
    ...['-fuse-ld=lld', '-nostdlib', inFolder('libSystem.tbd')],
  ];
}

const mac = (arch, linux) =>
  process.platform === 'darwin'
    ? { compiler: 'c++', remedy: 'xcode-select --install', flags: () => onMac(arch) }
    : {
        compiler: 'clang++',
        remedy: 'apt-get install clang lld',
        flags: (compiler) => withoutSdk(compiler, arch, linux),
      };

/** Each target's compiler on another machine, and the sources beside those that all have. */
export const TARGETS = {
  'linux-x64': {
    compiler: 'x86_64-linux-gnu-g++',
    remedy: 'apt-get install g++-x86-64-linux-gnu',
    flags: () => ANY_LIBC,
    sources: [
      ...['arch/linux-x64.cc', 'arch/linux-x64-syscall.cc', 'int80.cc', 'uring.cc'],
      ...['arch/linux-x64-dispatch.cc', 'sigsys.cc', 'witness.cc', 'witness-names.cc'],
    ],
    namesSystemCalls: true,
  },
  'linux-arm64': {
    compiler: 'aarch64-linux-gnu-g++',
    remedy: 'apt-get install g++-aarch64-linux-gnu',
    // A kernel for arm64 may have pages of 64 KiB. Atomic operations inline: GCC calls libgcc for them.
    flags: () => [...ANY_LIBC, '-Wl,-z,max-page-size=65536', '-mno-outline-atomics'],
    sources: ['arch/linux-arm64.cc', 'arch/linux-arm64-syscall.cc', 'stub/int80.cc', 'uring.cc', 'stub/witness.cc'],
  },
  'darwin-x64': { ...mac('x86_64', 'x86_64'), sources: ['arch/darwin-x64.cc', ...RAW_ONLY] },
  'darwin-arm64': { ...mac('arm64', 'aarch64'), sources: ['arch/darwin-arm64.cc', ...RAW_ONLY] },
};

/** This machine's own target. */
export const HERE = `${process.platform}-${process.arch}`;

const words = (text) => (text ?? '').split(/\s+/).filter(Boolean);

/**
 * Returns how a target is built: { compiler, flags, sources, namesSystemCalls, remedy }; compiler is a list of words.
 *
 * CXX and CXXFLAGS are for this machine's own target. Another target has variables of its own: CXX_linux_arm64, say.
 *
 * @throws a string for people
 */
export function planOf(name) {
  const isHere = name === HERE;
  // A platform that is not in the table gets the stubs of all levels, and the libraries that its compiler links.
  const row = TARGETS[name] ?? (isHere ? { flags: () => ELF, sources: ['stub/raw.cc', ...RAW_ONLY] } : undefined);
  if (!row) throw `no target ${name}; there are ${Object.keys(TARGETS).join(', ')}`;
  const setting = (variable) => {
    const own = process.env[`${variable}_${name.replace('-', '_')}`];
    return words(own || (isHere ? process.env[variable] : ''));
  };
  const given = setting('CXX');
  const compiler = given.length > 0 ? given : [isHere ? 'c++' : row.compiler];
  return {
    compiler,
    remedy: isHere
      ? 'install one (Debian: apt-get install g++; Fedora: dnf install gcc-c++; Alpine: apk add g++; macOS: xcode-select --install)'
      : `${row.remedy}, or name one with CXX_${name.replace('-', '_')}`,
    // CXXFLAGS after our own flags, so that they win, as with make.
    flags: [...row.flags(compiler), ...setting('CXXFLAGS')],
    sources: [...COMMON, ...row.sources].map(inFolder),
    namesSystemCalls: row.namesSystemCalls ?? false,
  };
}
