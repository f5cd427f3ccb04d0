// Level `std`: Node's standard library.
import { writeSync } from 'node:fs';
import { minusErrno } from '../bindings/errno.js';
import type { Level } from '../contract.js';
import { checkArguments } from './arguments.js';

/**
 * What Node refuses itself, before any call, has a code but no errno: a descriptor below 0, a length above 2³¹−1
 * (https://nodejs.org/api/errors.html#err_out_of_range).
 */
function refusedByNode(fd: number): number {
  return minusErrno(fd < 0 ? 'EBADF' : 'EINVAL');
}

export const std: Level = {
  id: 'std',
  write(fd, bytes) {
    checkArguments(fd, bytes);
    try {
      return writeSync(fd, bytes);
    } catch (error) {
      // libuv's numbers are −errno on POSIX. The code is not to be trusted: an errno that libuv
      // does not know, EDQUOT say, arrives as UNKNOWN with the right number.
      return (error as NodeJS.ErrnoException).errno ?? refusedByNode(fd);
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
