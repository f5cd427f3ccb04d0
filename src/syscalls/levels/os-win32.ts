// Level `os` on Windows: kernel32's WriteConsoleW for a console, WriteFile for everything else.
// https://learn.microsoft.com/windows/console/writeconsole
// https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-writefile
import koffi from 'koffi';
import type { Level } from '../contract.js';
import { checkArguments } from './arguments.js';

/** UTF-16 units that one WriteConsoleW is given at most; older consoles refuse more than 64 KiB at once. */
const CONSOLE_UNITS = 8192;
/** WriteFile counts in 32 bits, and a Buffer may have more bytes: 4 GiB would be taken for none. */
const FILE_BYTES = 0xffffffff;

// A byte order mark is text like any other here: it was counted, so it is written.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * What one WriteConsoleW is given of `bytes`, ending between two characters: no surrogate pair is split.
 *
 * @param most UTF-16 units, 4 or more
 * @returns the bytes taken, and their text; what is not UTF-8 becomes U+FFFD
 */
export function consoleChunk(bytes: Uint8Array, most: number = CONSOLE_UNITS): { taken: Uint8Array; text: string } {
  // No byte makes more than one unit, so as many bytes as units are never too many.
  let end = Math.min(bytes.length, most);
  // From within a character, back to its first byte, three away at most:
  // https://datatracker.ietf.org/doc/html/rfc3629#section-3
  const isInside = (at: number): boolean => at < bytes.length && ((bytes[at] as number) & 0xc0) === 0x80;
  for (let back = 0; back < 3 && isInside(end); back++) end--;
  const taken = bytes.subarray(0, end);
  return { taken, text: utf8.decode(taken) };
}

/** How many of `taken` the console has shown, once it says that it has written `units` of their text. */
export function bytesShown(taken: Uint8Array, units: number): number {
  let count = taken.length;
  // Not by the text's length in UTF-8: there, a byte that was not UTF-8 has grown to three.
  while (utf8.decode(taken.subarray(0, count)).length > units) count--;
  return count;
}

export function win32(): Level {
  const kernel32 = koffi.load('kernel32.dll');
  const getStdHandle = kernel32.func('intptr_t __stdcall GetStdHandle(uint32_t which)');
  const getConsoleMode = kernel32.func('int __stdcall GetConsoleMode(intptr_t handle, _Out_ uint32_t *mode)');
  const writeFile = kernel32.func(
    'int __stdcall WriteFile(intptr_t handle, const void *bytes, uint32_t count, _Out_ uint32_t *written, void *overlapped)',
  );
  const writeConsole = kernel32.func(
    'int __stdcall WriteConsoleW(intptr_t handle, const char16_t *text, uint32_t units, _Out_ uint32_t *written, void *reserved)',
  );
  // koffi keeps what one call left here until the next: https://koffi.dev/changelog, 2.6.10
  const getLastError = kernel32.func('uint32_t __stdcall GetLastError()');
  // Descriptors above 2 live in the C runtime inside node.exe, which exports libuv's way to them. For one
  // that is not open the answer is −1, since libuv keeps the C runtime from ending the process over it:
  // https://github.com/libuv/libuv/blob/v1.46.0/src/win/core.c#L184-L188
  const getOsHandle = koffi.load(null).func('intptr_t uv_get_osfhandle(int fd)');

  const handleOf = (fd: number): number => (fd >= 0 && fd <= 2 ? getStdHandle(0xfffffff6 - fd) : getOsHandle(fd));
  const mode = [0];
  const written = [0];

  function toConsole(handle: number, bytes: Uint8Array): number {
    const { taken, text } = consoleChunk(bytes);
    if (!writeConsole(handle, text, text.length, written, null)) return -getLastError();
    // The console counts UTF-16 units, the contract bytes.
    return bytesShown(taken, written[0] as number);
  }

  function toFile(handle: number, bytes: Uint8Array): number {
    // GetLastError is stale after a success, so it is read only when the call says it failed.
    if (!writeFile(handle, bytes, Math.min(bytes.byteLength, FILE_BYTES), written, null)) return -getLastError();
    return written[0] as number;
  }

  return {
    id: 'os',
    write(fd, bytes) {
      checkArguments(fd, bytes);
      const handle = handleOf(fd);
      return getConsoleMode(handle, mode) ? toConsole(handle, bytes) : toFile(handle, bytes);
    },
    available: true,
    reason: null,
    via: {
      instruction: null,
      symbol: 'WriteConsoleW for a console, else WriteFile',
      library: 'kernel32.dll',
      file: null,
      address: null,
    },
    registers: null,
    number: null,
    code: null,
    disassembly: null,
    seenBy: null,
    manPage: 'https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-writefile',
  };
}
