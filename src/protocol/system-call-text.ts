// The system calls that a witness saw, as text for people: as strace prints them, and whose call each is.
import { PREVIEW_BYTES } from './limits.js';
import type { SystemCall, WitnessReport } from './system-call.js';

/** The form in which an argument is printed: the descriptor or number in 32 bits, a count, a value in hexadecimal, the bytes written. */
type Format = 'int' | 'count' | 'hex' | 'bytes';

/** The arguments of the calls that levels make. Of other calls, all six registers are printed. */
const FORMATS: Record<string, Format[]> = {
  write: ['int', 'bytes', 'count'],
  pwrite64: ['int', 'bytes', 'count', 'count'],
  sendto: ['int', 'bytes', 'count', 'hex', 'hex', 'int'],
  io_uring_setup: ['int', 'hex'],
  io_uring_enter: ['int', 'int', 'int', 'hex', 'hex', 'count'],
  fcntl: ['int', 'int', 'hex'],
  fstat: ['int', 'hex'],
  lseek: ['int', 'count', 'int'],
  ppoll: ['hex', 'int', 'hex', 'hex', 'count'],
  brk: ['hex'],
  close: ['int'],
  mmap: ['hex', 'count', 'hex', 'hex', 'int', 'hex'],
  munmap: ['hex', 'count'],
  mprotect: ['hex', 'count', 'hex'],
  madvise: ['hex', 'count', 'int'],
  futex: ['hex', 'int', 'int', 'hex', 'hex', 'int'],
};
const REGISTERS: Format[] = ['hex', 'hex', 'hex', 'hex', 'hex', 'hex'];

const hex = (value: number | string): string =>
  typeof value === 'string' ? value : `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/** Quotes the first bytes written. Backslashes and characters that act on a terminal are escaped already. */
function quote({ preview, result }: SystemCall, address: number | string): string {
  if (preview === null) return hex(address);
  return `"${preview.replaceAll('"', '\\"')}"${Number(result) > PREVIEW_BYTES ? '...' : ''}`;
}

function printArguments(call: SystemCall): string {
  const formats = (Object.hasOwn(FORMATS, call.name) && FORMATS[call.name]) || REGISTERS;
  const print: Record<Format, (value: number | string) => string> = {
    int: (value) => `${Number(value) | 0}`,
    count: String,
    hex,
    bytes: (value) => quote(call, value),
  };
  return formats.map((format, at) => print[format](call.arguments[at] ?? 0)).join(', ');
}

/** Returns true for a result that only a call which returns an address has: no `write` returns more than 0x7ffff000. */
export const isAddress = (result: number): boolean => result > 0xffff_ffff;

/** Returns a result as strace prints it: `5`, or `-1 ENOSPC (No space left on device)`. */
export function printResult({ result, error }: Pick<SystemCall, 'result' | 'error'>): string {
  if (result === null) return '?';
  if (error) return `-1 ${error.code} (${error.message})`;
  // Like strace: an address in hexadecimal, any other result as it is.
  return isAddress(result) ? hex(result) : `${result}`;
}

/** Returns the instruction of a call: `libc.so.6+0xf838f`, or its address if it is in no file. */
export function placeOf({ file, offset, address }: SystemCall['origin']): string {
  // The witness runs on Linux, and this code in browsers too: so not with node:path.
  return file === null || offset === null ? address : `${file.split('/').at(-1)}+0x${offset.toString(16)}`;
}

/**
 * The bytes that libuv writes to an eventfd to wake an event loop. V8 asks for it when it has collected garbage.
 * https://github.com/libuv/libuv/blob/v1.x/src/unix/async.c
 */
const WAKE_UP = '\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00';

/** A call, or the calls of a burst that are alike, whose bytes are not known. */
type Kind = Pick<SystemCall, 'name' | 'result' | 'origin'> & { preview?: string | null };

/** Returns true if a call is such a write. It is not told from a message of the same eight bytes. */
export const isWakeUp = ({ name, result, preview = WAKE_UP }: Omit<Kind, 'origin'>): boolean =>
  name === 'write' && result === 8 && preview === WAKE_UP;

/** Calls for memory and threads, which V8 makes when it collects garbage or compiles. */
const CALLS_OF_V8 = new Set(['brk', 'futex', 'madvise', 'mmap', 'mprotect', 'mremap', 'munmap', 'sched_yield']);

/** Returns whose call it is. Other code of the process may make the same calls as V8. */
export function ownerOf(call: Kind): 'level' | 'libuv' | 'V8' | 'other' {
  if (call.origin.isLevel) return 'level';
  if (isWakeUp(call)) return 'libuv';
  return CALLS_OF_V8.has(call.name) ? 'V8' : 'other';
}

/** The owners of calls, in words. */
export const OWNERS: Record<ReturnType<typeof ownerOf>, string> = {
  level: "the level's own",
  libuv: "libuv's",
  V8: "V8's",
  other: "not the level's own",
};

/** Returns the place of a call, the function around it, and whose it is if it is not the level's. */
export function printOrigin(call: Kind): string {
  const owner = ownerOf(call);
  const parts = [placeOf(call.origin), call.origin.symbol, owner === 'level' ? null : OWNERS[owner]];
  return parts.filter((part) => part !== null).join(', ');
}

/** Returns a call as strace prints it: `write(18, "hello\\n", 6) = 6`. Calls of 32-bit programs begin with `[i386] `. */
export function printCall(call: SystemCall): string {
  const abi = call.abi === 'i386' ? '[i386] ' : '';
  return `${abi}${call.name}(${printArguments(call)}) = ${printResult(call)}`;
}

/** Returns a line for each system call, with its origin in brackets, and the verdict. */
export function describeWitnessed({ systemCalls, complete, dropped, verdict }: WitnessReport): string[] {
  const lines = systemCalls.map((call) => `${printCall(call)}  [${printOrigin(call)}]`);
  if (dropped > 0)
    lines.push(systemCalls.length > 0 ? `and ${dropped} more` : `${dropped} calls, which are no longer kept`);
  if (!complete) lines.push('later calls were not seen');
  return [...lines, `witness: ${verdict}`];
}
