// −errno → { code, errno, message }: the only place where a number becomes words.
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import koffi from 'koffi';
import { bind, lastErrno } from './libc.js';

/** The operating system's refusal. `errno` is positive, the platform's own number. */
export type OsError = { code: string; errno: number; message: string };

function posix(): (errno: number) => OsError {
  const names = new Map<number, string>();
  // Where a number has two names, the one that the kernel's headers and strace use is kept.
  for (const [name, errno] of Object.entries(constants.errno)) if (name !== 'EWOULDBLOCK') names.set(errno, name);
  const strerror = bind<(errno: number) => string>('const char *strerror(int errnum)');
  // Node names 79 of Linux's 131; glibc since 2.32 names all, musl and macOS have no such function.
  let strerrorname: ((errno: number) => string | null) | null = null;
  try {
    strerrorname = bind<(errno: number) => string | null>('const char *strerrorname_np(int errnum)');
  } catch {}
  return (errno) => ({
    code: names.get(errno) ?? strerrorname?.(errno) ?? `E${errno}`,
    errno,
    message: strerror(errno),
  });
}

/**
 * What WriteFile and WriteConsoleW answer most; Windows has messages for its numbers, but no names.
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
  232: 'ERROR_NO_DATA',
  233: 'ERROR_PIPE_NOT_CONNECTED',
  995: 'ERROR_OPERATION_ABORTED',
  1117: 'ERROR_IO_DEVICE',
  1784: 'ERROR_INVALID_USER_BUFFER',
  1816: 'ERROR_NOT_ENOUGH_QUOTA',
};

function win32(): (errno: number) => OsError {
  const FROM_SYSTEM_WITHOUT_INSERTS = 0x1000 | 0x200;
  const formatMessage = koffi
    .load('kernel32.dll')
    .func(
      'uint32_t __stdcall FormatMessageW(uint32_t flags, void *source, uint32_t id, uint32_t language, _Out_ uint8_t *text, uint32_t units, void *inserts)',
    );
  const text = Buffer.alloc(1024);
  const libuv = getSystemErrorMap();
  return (errno) => {
    // Two number spaces: level `std` gives libuv's numbers, from 3000 up, level `os` Win32's.
    const known = libuv.get(-errno);
    if (known) return { code: known[0], errno, message: known[1] };
    const units: number = formatMessage(FROM_SYSTEM_WITHOUT_INSERTS, null, errno, 0, text, text.length / 2, null);
    return {
      code: WIN32_NAMES[errno] ?? `ERROR_${errno}`,
      errno,
      message: text.toString('utf16le', 0, units * 2).trim() || `Windows error ${errno}`,
    };
  };
}

const translate = process.platform === 'win32' ? win32() : posix();
const known = new Map<number, OsError>();

/**
 * What a level's result says, in words.
 *
 * @param result what a level's `write` returned
 * @returns null for a count; for −errno the error, the same frozen object each time
 */
export function osError(result: number): OsError | null {
  if (result >= 0) return null;
  let error = known.get(result);
  if (!error) {
    error = Object.freeze(translate(-result));
    known.set(result, error);
  }
  return error;
}

const numbers = new Map([...getSystemErrorMap()].map(([number, [name]]) => [name, number]));

/**
 * −errno of a name, as levels `raw` and `std` give it: on POSIX the platform's own number, on Windows
 * libuv's. Not os.constants.errno: on Windows that has the C runtime's numbers, which nobody returns.
 */
export function minusErrno(name: 'EAGAIN' | 'EBADF' | 'EINTR' | 'EINVAL' | 'ENOSYS'): number {
  return numbers.get(name) as number;
}

/** What libc returned, or an error like Node's own fs throws when it is −1. To be called directly around the call. */
export function checked(result: number, call: string): number {
  if (result !== -1) return result;
  const { code, errno, message } = osError(-lastErrno()) as OsError;
  throw Object.assign(new Error(`${code}: ${message}, ${call}`), { code, errno: -errno, syscall: call });
}
