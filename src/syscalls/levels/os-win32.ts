// Level `os` on Windows: kernel32's WriteConsoleW for a console, WriteFile for everything else.
// https://learn.microsoft.com/windows/console/writeconsole
// https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-writefile
import { bindWin32, handleOf, lastError } from '../bindings/kernel32.js';
import { mostBytes } from '../bindings/pipe-win32.js';
import type { Write } from '../contract.js';
import { checkArguments } from './check-arguments.js';
import type { LevelDescription } from './on-first-use.js';

/** The most UTF-16 units for one WriteConsoleW. Older consoles refuse more than 64 KiB in one call. */
const CONSOLE_UNITS = 8192;
/** The most bytes for one WriteFile. Its count has 32 bits, and a Buffer may be longer: 4 GiB would become 0. */
const FILE_BYTES = 0xffffffff;

// ignoreBOM: write a byte order mark like any other text, because the result counts its bytes.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Cuts the first chunk of `bytes` for one WriteConsoleW. The chunk ends between two characters, so that no character
 * and no surrogate pair is split.
 *
 * @param maxUnits the most UTF-16 units of text, 4 or more
 * @returns the bytes taken, and their text; bytes that are not UTF-8 become U+FFFD
 */
export function consoleChunk(bytes: Uint8Array, maxUnits: number = CONSOLE_UNITS): { taken: Uint8Array; text: string } {
  // A byte becomes at most one UTF-16 unit, so `maxUnits` bytes always fit.
  let end = Math.min(bytes.length, maxUnits);
  // If the cut is inside a character, move it back to the character's first byte, by at most 3 bytes:
  // https://datatracker.ietf.org/doc/html/rfc3629#section-3
  const isInside = (at: number): boolean => at < bytes.length && ((bytes[at] as number) & 0xc0) === 0x80;
  for (let back = 0; back < 3 && isInside(end); back++) end--;
  const taken = bytes.subarray(0, end);
  return { taken, text: utf8.decode(taken) };
}

/** Returns how many bytes of `taken` the console has shown, given the UTF-16 units of text that it has written. */
export function bytesShown(taken: Uint8Array, units: number): number {
  let count = taken.length;
  // Do not encode the text and count: a byte that was not UTF-8 is U+FFFD in the text, which has three bytes in UTF-8.
  while (utf8.decode(taken.subarray(0, count)).length > units) count--;
  return count;
}

/** Binds kernel32's functions. @throws when koffi cannot be loaded */
export function openWin32(): Write {
  const getConsoleMode = bindWin32<(handle: number, mode: number[]) => number>(
    'int __stdcall GetConsoleMode(intptr_t handle, _Out_ uint32_t *mode)',
  );
  const writeFile = bindWin32<
    (handle: number, bytes: Uint8Array, count: number, written: number[], overlapped: null) => number
  >(
    'int __stdcall WriteFile(intptr_t handle, const void *bytes, uint32_t count, _Out_ uint32_t *written, void *overlapped)',
  );
  const writeConsole = bindWin32<
    (handle: number, text: string, units: number, written: number[], reserved: null) => number
  >(
    'int __stdcall WriteConsoleW(intptr_t handle, const char16_t *text, uint32_t units, _Out_ uint32_t *written, void *reserved)',
  );
  const mode = [0];
  const written = [0];

  function writeToConsole(handle: number, bytes: Uint8Array): number {
    const { taken, text } = consoleChunk(bytes);
    if (!writeConsole(handle, text, text.length, written, null)) return -lastError();
    // The console reports UTF-16 units; a level returns bytes.
    return bytesShown(taken, written[0] as number);
  }

  /** A full pipe that does not wait takes 0 bytes. To Windows that is no error. */
  function writeToFile(handle: number, bytes: Uint8Array, most: number): number {
    if (!writeFile(handle, bytes, Math.min(bytes.byteLength, FILE_BYTES, most), written, null)) return -lastError();
    return written[0] as number;
  }

  return (fd, bytes) => {
    checkArguments(fd, bytes);
    const handle = handleOf(fd);
    return getConsoleMode(handle, mode) ? writeToConsole(handle, bytes) : writeToFile(handle, bytes, mostBytes(fd));
  };
}

export const win32: LevelDescription = {
  id: 'os',
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
