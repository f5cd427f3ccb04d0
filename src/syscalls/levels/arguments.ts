// What FFI and Node would turn into a call that nobody meant: a descriptor cut to 32 bits, a text instead of bytes. The
// addon has this check of its own, with the same words; here it is for the levels that do not stand on it.
import { types } from 'node:util';

/** @throws TypeError */
export function checkArguments(fd: unknown, bytes: unknown): void {
  if (typeof fd !== 'number' || (fd | 0) !== fd) throw new TypeError('fd must be a 32-bit integer');
  if (!types.isUint8Array(bytes)) throw new TypeError('bytes must be a Uint8Array');
}
