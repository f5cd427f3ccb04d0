// Level `std`: fs.writeSync of Node's standard library.
import { writeSync } from 'node:fs';
import { minusErrno } from '../bindings/errno.js';
import { mostBytes } from '../bindings/pipe-win32.js';
import type { Level, Write } from '../contract.js';
import { checkArguments } from './check-arguments.js';

/**
 * Returns −errno for a write that Node itself refuses, without a system call: to a descriptor below 0 (EBADF), or of
 * more than 2³¹−1 bytes (EINVAL). Node's error then has no errno:
 * https://nodejs.org/api/errors.html#err_out_of_range
 */
function minusErrnoOfRefusal(fd: number): number {
  return minusErrno(fd < 0 ? 'EBADF' : 'EINVAL');
}

/** Calls fs.writeSync, on Windows with no more bytes than a pipe that does not wait can take. */
const call: Write =
  process.platform === 'win32'
    ? (fd, bytes) => writeSync(fd, bytes, 0, Math.min(bytes.byteLength, mostBytes(fd)))
    : (fd, bytes) => writeSync(fd, bytes);

export const std: Level = {
  id: 'std',
  write(fd, bytes) {
    checkArguments(fd, bytes);
    try {
      return call(fd, bytes);
    } catch (error) {
      // On POSIX, libuv's numbers are −errno. Do not use `code`: for an errno that libuv does not know, such as EDQUOT,
      // it is UNKNOWN, but `errno` is right.
      return (error as NodeJS.ErrnoException).errno ?? minusErrnoOfRefusal(fd);
    }
  },
  available: true,
  reason: null,
  via: {
    instruction: null,
    symbol: 'fs.writeSync',
    library: `Node ${process.versions.node}, libuv ${process.versions.uv}`,
    file: process.execPath,
    address: null,
  },
  registers: null,
  number: null,
  code: null,
  disassembly: null,
  seenBy: process.platform === 'linux' ? { strace: true, seccomp: true, ldPreload: true, ltrace: true } : null,
  manPage: 'https://nodejs.org/api/fs.html#fswritesyncfd-buffer-offset-length-position',
};
