// Level `os` on Linux and macOS: libc's write(2).
// https://pubs.opengroup.org/onlinepubs/9799919799/functions/write.html

import { bind, lastErrno } from '../bindings/libc.js';
import { locate } from '../bindings/symbol.js';
import type { Level } from '../contract.js';
import { checkArguments } from './arguments.js';

export function posix(): Level {
  // koffi knows no ssize_t; intptr_t has its width wherever POSIX runs.
  const libcWrite = bind<(fd: number, bytes: Uint8Array, count: number) => number>(
    'intptr_t write(int fd, const void *bytes, size_t count)',
  );
  return {
    id: 'os',
    write(fd, bytes) {
      checkArguments(fd, bytes);
      const result = libcWrite(fd, bytes, bytes.byteLength);
      return result < 0 ? -lastErrno() : result;
    },
    available: true,
    reason: null,
    // Looked up when somebody asks, not at each start.
    get via() {
      const at = locate('write');
      const address = at && `0x${at.address.toString(16)}`;
      return { instruction: null, symbol: 'write', library: 'libc', file: at?.file ?? null, address };
    },
    registers: null,
    number: null,
    get code() {
      return locate('write')?.code ?? null;
    },
    disassembly: null,
    // ltrace watches an executable's own ways to its libraries.
    get seenBy() {
      return { strace: true, seccomp: true, ldPreload: true, ltrace: locate('write')?.isStub ?? false };
    },
    manPage: 'https://man7.org/linux/man-pages/man2/write.2.html',
  };
}
