// Prints the system calls that a witness saw, as strace prints them.
import path from 'node:path';
import { PREVIEW_BYTES } from '../protocol/preview.js';
import type { SystemCall, WitnessReport } from '../syscalls/index.js';

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
  const formats = FORMATS[call.name] ?? REGISTERS;
  const print: Record<Format, (value: number | string) => string> = {
    int: (value) => `${Number(value) | 0}`,
    count: String,
    hex,
    bytes: (value) => quote(call, value),
  };
  return formats.map((format, at) => print[format](call.arguments[at] ?? 0)).join(', ');
}

function printResult({ result, error }: SystemCall): string {
  if (result === null) return '?';
  if (error) return `-1 ${error.code} (${error.message})`;
  // Like strace: an address in hexadecimal, any other result as it is.
  return result > 0xffff_ffff ? hex(result) : `${result}`;
}

function printOrigin({ origin: { file, offset, address, symbol, isLevel } }: SystemCall): string {
  const place = file === null || offset === null ? address : `${path.basename(file)}+0x${offset.toString(16)}`;
  return [place, symbol, isLevel ? null : "not the level's own"].filter((part) => part !== null).join(', ');
}

/** Returns a line for each system call, and the verdict. */
export function describeWitnessed({ systemCalls, complete, dropped, verdict }: WitnessReport): string[] {
  const lines = systemCalls.map((call) => {
    const abi = call.abi === 'i386' ? '[i386] ' : '';
    return `${abi}${call.name}(${printArguments(call)}) = ${printResult(call)}  [${printOrigin(call)}]`;
  });
  if (dropped > 0) lines.push(`and ${dropped} more`);
  if (!complete) lines.push('later calls were not seen');
  return [...lines, `witness: ${verdict}`];
}
