// Level `os` on Linux and macOS: libc's write(2).
// https://pubs.opengroup.org/onlinepubs/9799919799/functions/write.html
import { NO_ERRNO } from '../bindings/errno.js';
import { bind, viewErrno } from '../bindings/libc.js';
import { locate } from '../bindings/symbol.js';
import type { Write } from '../contract.js';
import { checkArguments } from './check-arguments.js';
import type { LevelDescription } from './on-first-use.js';

/** Binds libc's write. @throws when koffi cannot be loaded */
export function openPosix(): Write {
  // koffi does not have ssize_t. intptr_t has the same width on Linux and macOS.
  const libcWrite = bind<(fd: number, bytes: Uint8Array, count: number) => number | bigint>(
    'intptr_t write(int fd, const void *bytes, size_t count)',
  );
  const errno = viewErrno();
  return (fd, bytes) => {
    checkArguments(fd, bytes);
    // A library that intercepts the call may return −1 and forget errno, which then has the number of an earlier error.
    errno[0] = 0;
    // koffi returns a BigInt above 2⁵³. No write takes so many bytes, but a library that intercepts it may say so.
    const result = Number(libcWrite(fd, bytes, bytes.byteLength));
    if (result >= 0) return result;
    const [number] = errno as unknown as [number];
    return result === -1 && number > 0 ? -number : NO_ERRNO;
  };
}

export const posix: LevelDescription = {
  id: 'os',
  // A getter, so that the symbol is looked up for a caller that reads it, not at every start.
  get via() {
    const location = locate('write');
    const address = location && `0x${location.address.toString(16)}`;
    return { instruction: null, symbol: 'write', library: 'libc', file: location?.file ?? null, address };
  },
  registers: null,
  number: null,
  get code() {
    return locate('write')?.code ?? null;
  },
  disassembly: null,
  // ltrace sets breakpoints in the executable's PLT (its stubs for library functions), so it sees only calls through
  // it.
  get seenBy() {
    return { strace: true, seccomp: true, ldPreload: true, ltrace: locate('write')?.isStub ?? false };
  },
  manPage: 'https://man7.org/linux/man-pages/man2/write.2.html',
};
