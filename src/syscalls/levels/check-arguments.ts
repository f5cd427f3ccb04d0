// Checks the arguments at levels os and std. Without this check, koffi and Node would convert a wrong value and make a
// call that the caller did not ask for: a descriptor cut to 32 bits, or text taken as bytes. For levels raw, int80 and
// uring, native/addon.cc makes the same check with the same messages.
import { types } from 'node:util';

/** @throws TypeError when `fd` is not a 32-bit integer or `bytes` is not a Uint8Array */
export function checkArguments(fd: unknown, bytes: unknown): void {
  if (typeof fd !== 'number' || (fd | 0) !== fd) throw new TypeError('fd must be a 32-bit integer');
  if (!types.isUint8Array(bytes)) throw new TypeError('bytes must be a Uint8Array');
}
