// Translates −errno to { code, errno, message }. No other file does this.
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import type { OsError } from '../../protocol/system-call.js';
import { koffi } from './koffi.js';
import { bind, lastErrno } from './libc.js';

function posix(): (errno: number) => OsError {
  const names = new Map<number, string>();
  // EAGAIN and EWOULDBLOCK are the same number. Keep EAGAIN, the name that strace prints.
  for (const [name, errno] of Object.entries(constants.errno)) if (name !== 'EWOULDBLOCK') names.set(errno, name);
  // Without libc: libuv's texts, which name fewer errors.
  const libuvErrors = getSystemErrorMap();
  let strerror = (errno: number): string => libuvErrors.get(-errno)?.[1] ?? `error ${errno}`;
  // Node has names for 79 of the 131 numbers on Linux. glibc has names for all since 2.32; musl and macOS do not have
  // this function: https://man7.org/linux/man-pages/man3/strerror.3.html
  let strerrorname: ((errno: number) => string | null) | null = null;
  try {
    strerror = bind<(errno: number) => string>('const char *strerror(int errnum)');
    strerrorname = bind<(errno: number) => string | null>('const char *strerrorname_np(int errnum)');
  } catch {}
  return (errno) => ({
    code: names.get(errno) ?? strerrorname?.(errno) ?? `E${errno}`,
    errno,
    message: strerror(errno),
  });
}

/**
 * The names of the errors that WriteFile and WriteConsoleW return most. Windows has no function that returns them.
 * https://learn.microsoft.com/windows/win32/debug/system-error-codes
 */
const WIN32_NAMES: Record<number, string> = {
  1: 'ERROR_INVALID_FUNCTION',
  5: 'ERROR_ACCESS_DENIED',
  6: 'ERROR_INVALID_HANDLE',
  8: 'ERROR_NOT_ENOUGH_MEMORY',
  19: 'ERROR_WRITE_PROTECT',
  21: 'ERROR_NOT_READY',
  29: 'ERROR_WRITE_FAULT',
  33: 'ERROR_LOCK_VIOLATION',
  39: 'ERROR_HANDLE_DISK_FULL',
  64: 'ERROR_NETNAME_DELETED',
  87: 'ERROR_INVALID_PARAMETER',
  109: 'ERROR_BROKEN_PIPE',
  112: 'ERROR_DISK_FULL',
  230: 'ERROR_BAD_PIPE',
  231: 'ERROR_PIPE_BUSY',
  232: 'ERROR_NO_DATA',
  233: 'ERROR_PIPE_NOT_CONNECTED',
  995: 'ERROR_OPERATION_ABORTED',
  1117: 'ERROR_IO_DEVICE',
  1784: 'ERROR_INVALID_USER_BUFFER',
  1816: 'ERROR_NOT_ENOUGH_QUOTA',
};

function win32(): (errno: number) => OsError {
  const FROM_SYSTEM_WITHOUT_INSERTS = 0x1000 | 0x200;
  const formatMessage = koffi()
    .load('kernel32.dll')
    .func(
      'uint32_t __stdcall FormatMessageW(uint32_t flags, void *source, uint32_t id, uint32_t language, _Out_ uint8_t *text, uint32_t units, void *inserts)',
    );
  const text = Buffer.alloc(1024);
  const libuvErrors = getSystemErrorMap();
  return (errno) => {
    // Level `std` returns libuv's numbers, which begin at 3000. Level `os` returns Win32's.
    const libuvError = libuvErrors.get(-errno);
    if (libuvError) return { code: libuvError[0], errno, message: libuvError[1] };
    const units: number = formatMessage(FROM_SYSTEM_WITHOUT_INSERTS, null, errno, 0, text, text.length / 2, null);
    return {
      code: WIN32_NAMES[errno] ?? `ERROR_${errno}`,
      errno,
      message: text.toString('utf16le', 0, units * 2).trim() || `Windows error ${errno}`,
    };
  };
}

let translate: ((errno: number) => OsError) | undefined;
const cache = new Map<number, OsError>();

/**
 * Translates a level's result.
 *
 * @param result the return value of a level's `write`: a count, or −errno
 * @returns null for a count; for −errno the error, the same frozen object each time
 */
export function osError(result: number): OsError | null {
  if (result >= 0) return null;
  let error = cache.get(result);
  if (!error) {
    translate ??= process.platform === 'win32' ? win32() : posix();
    error = Object.freeze(translate(-result));
    cache.set(result, error);
  }
  return error;
}

/** Stands for the result of a call that failed and set no errno. −0 would be a count. */
export const NO_ERRNO = -Number.MAX_VALUE;
cache.set(
  NO_ERRNO,
  Object.freeze({ code: 'NO_ERRNO', errno: 0, message: 'the call returned a negative number and set no errno' }),
);

/** Stands for the result of a call that returned more than it was asked to write. No level returns this number. */
const IMPOSSIBLE = Number.NEGATIVE_INFINITY;
cache.set(
  IMPOSSIBLE,
  Object.freeze({ code: 'IMPOSSIBLE_COUNT', errno: 0, message: 'the call returned more than it was asked to write' }),
);

/**
 * Returns a level's result as it counts: a count above `requested` becomes a negative number, whose `osError` has the
 * code IMPOSSIBLE_COUNT. A library that intercepts the call can return such a count; the kernel never does.
 */
export const trustedResult = (result: number, requested: number): number => (result > requested ? IMPOSSIBLE : result);

/**
 * Translates the result of a call that was asked to write `requested` bytes. Every answer, record and count uses this or
 * `trustedResult`, so that they agree.
 *
 * @param result the return value of a level's `write`
 */
export function outcomeOf(result: number, requested: number): { written: number; error: OsError | null } {
  const trusted = trustedResult(result, requested);
  if (trusted !== IMPOSSIBLE) return { written: Math.max(0, result), error: osError(result) };
  const { code, errno } = osError(IMPOSSIBLE) as OsError;
  return { written: 0, error: { code, errno, message: `the call returned ${result} for ${requested} bytes` } };
}

const minusErrnoByName = new Map([...getSystemErrorMap()].map(([number, [name]]) => [name, number]));

/**
 * Returns −errno for a name, in the numbers that levels `raw` and `std` return: the platform's own on POSIX, libuv's on
 * Windows. Do not use os.constants.errno: on Windows it has the C runtime's numbers, which no level returns.
 */
export function minusErrno(name: 'EAGAIN' | 'EBADF' | 'EINTR' | 'EINVAL' | 'ENOSYS'): number {
  return minusErrnoByName.get(name) as number;
}

/**
 * Returns the result of a libc function, or throws if it is −1. Write the call as the argument, so that no other call
 * changes errno in between: `orThrow(dup(fd), 'dup')`.
 *
 * @param call the function's name, for the message
 * @throws an Error with `code`, `errno` (negative) and `syscall`, as node:fs throws them
 */
export function orThrow(result: number, call: string): number {
  if (result !== -1) return result;
  const { code, errno, message } = osError(-lastErrno()) as OsError;
  throw Object.assign(new Error(`${code}: ${message}, ${call}`), { code, errno: -errno, syscall: call });
}
