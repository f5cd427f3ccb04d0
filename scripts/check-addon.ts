// Checks the file of an addon before it is shipped, with LLVM's tools, which read the files of every target.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { INT80 } from '../src/syscalls/levels/int80.js';
import { RAW } from '../src/syscalls/levels/raw.js';
import { URING } from '../src/syscalls/levels/uring.js';

type Symbols = { v8: { js_native_api_symbols: string[]; node_api_symbols: string[] } };
const { symbols } = createRequire(import.meta.url)('node-api-headers') as { symbols: Symbols };
// native/build.mjs sets NAPI_VERSION to 8, which every supported Node has.
const NODE_API = new Set([...symbols.v8.js_native_api_symbols, ...symbols.v8.node_api_symbols]);

/** The functions of the C library that an addon may call: none of them writes, and glibc, musl and macOS have them. */
const LIBC = new Set('_exit abort alarm bcmp dladdr free malloc memcmp memcpy memset sigaction strlen'.split(' '));
/** The two functions that Node looks up. */
const EXPORTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

const LIBRARY = '/usr/lib/libSystem.B.dylib';

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe'] });

/** Return the symbols that an addon leaves undefined, and that neither Node-API nor the C library has. */
const foreign = (names: string[]): string[] => names.filter((name) => !NODE_API.has(name) && !LIBC.has(name));

function* problemsOfElf(target: string, file: string): Generator<string> {
  const dynamic = run('llvm-readelf', '--dynamic-table', file);
  for (const [, needed] of dynamic.matchAll(/NEEDED.*\[(.*)\]/g)) yield `it needs the library ${needed}`;
  for (const [entry] of dynamic.matchAll(/\b(RPATH|RUNPATH|TEXTREL|VERNEED)\b/g)) yield `it has an entry ${entry}`;
  if (!/FLAGS_1.*\bNOW\b/.test(dynamic)) yield 'its symbols are not all bound when it is loaded';

  const undefineds: string[] = [];
  const exported: string[] = [];
  for (const [, section, name = ''] of run('llvm-readelf', '--dyn-symbols', file).matchAll(
    / (?:GLOBAL|WEAK) +\w+ +(UND|\d+) (\S+)$/gm,
  ))
    (section === 'UND' ? undefineds : exported).push(name);
  for (const name of undefineds.filter((each) => each.includes('@'))) yield `it needs a version of a symbol: ${name}`;
  for (const name of foreign(undefineds.map((each) => each.replace(/@.*/, '')))) yield `it needs the symbol ${name}`;
  if (exported.sort().join() !== EXPORTS.join()) yield `it exports ${exported.join(', ')}`;

  const segments = run('llvm-readelf', '--program-headers', file);
  if (!/GNU_STACK .* RW +0x/.test(segments)) yield 'its stack is executable';
  if (/ RWE /.test(segments)) yield 'it has memory that is writable and executable';
  if (!/GNU_RELRO/.test(segments)) yield 'its table of functions stays writable';
  const page = target === 'linux-arm64' ? 0x10000 : 0x1000;
  for (const [, align] of segments.matchAll(/^ +LOAD .* (0x\w+)$/gm))
    if (Number(align) !== page) yield `a segment is aligned to ${align} instead of 0x${page.toString(16)}`;
}

function* problemsOfMachO(target: string, file: string): Generator<string> {
  const header = run('llvm-objdump', '--macho', '--private-headers', file);
  const libraries = Array.from(header.matchAll(/^ +name (\S+) \(offset/gm), ([, name]) => name);
  if (libraries.join() !== LIBRARY) yield `it loads ${libraries.join(', ') || 'no library'} instead of ${LIBRARY}`;
  if (!/ BUNDLE /.test(header)) yield 'it is not a bundle';
  // dyld refuses a file without it.
  if (!/cmd LC_UUID/.test(header)) yield 'it has no LC_UUID';
  // macOS runs no code for arm64 without a signature.
  if (target === 'darwin-arm64' && !/cmd LC_CODE_SIGNATURE/.test(header)) yield 'it is not signed';

  const wanted = run('llvm-nm', '-m', '--undefined-only', file);
  for (const [, name = '', where = ''] of wanted.matchAll(/ external (\S+) \((.*)\)$/gm)) {
    if (name === 'dyld_stub_binder') continue;
    const plain = name.replace(/^_/, '');
    const expected = NODE_API.has(plain) ? 'dynamically looked up' : 'from libSystem';
    if (foreign([plain]).length > 0 || where !== expected) yield `it needs the symbol ${name} (${where})`;
  }
  const exported = run('llvm-nm', '--extern-only', '--defined-only', '-j', file).trim().split('\n');
  if (exported.sort().join() !== EXPORTS.map((name) => `_${name}`).join()) yield `it exports ${exported.join(', ')}`;
}

/** The machine code that each level has on a target, as src/syscalls/levels/ publishes it. */
function* problemsOfCode(target: string, file: string): Generator<string> {
  const bytes = readFileSync(file);
  for (const [level, table] of Object.entries({ raw: RAW, int80: INT80, uring: URING })) {
    const { code } = table[target] ?? {};
    if (!code) continue;
    const instructions = Buffer.from(code, 'hex');
    const first = bytes.indexOf(instructions);
    if (first < 0) yield `it does not contain the code of ${level}: ${code}`;
    else if (bytes.indexOf(instructions, first + 1) >= 0) yield `it contains the code of ${level} twice`;
  }
}

/** Return what is wrong with an addon's file, a sentence for each; an empty list if nothing is. */
export const problemsOf = (target: string, file: string): string[] => [
  ...(target.startsWith('linux-') ? problemsOfElf : problemsOfMachO)(target, file),
  ...problemsOfCode(target, file),
];
