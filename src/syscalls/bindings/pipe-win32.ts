// Keeps a pipe of Windows from blocking its writer: PIPE_NOWAIT.
// https://learn.microsoft.com/windows/win32/ipc/named-pipe-type-read-and-wait-modes
//
// WriteFile to such a pipe succeeds at once. It takes 0 bytes when the pipe is full; Windows has no EAGAIN. Windows
// also takes 0 bytes, not some, when there is less room than bytes, although its documentation says otherwise:
// https://github.com/swiftlang/swift-corelibs-libdispatch/pull/796, raw_write in
// https://github.com/cygwin/cygwin/blob/main/winsup/cygwin/fhandler/pipe.cc. Wine does the same. So a message that is
// larger than the pipe would never be written. That is why a call offers at most as many bytes as the pipe holds:
// `mostBytes`.
import { osError } from './errno.js';
import { handleOf, lastError, lazyWin32 } from './kernel32.js';

const PIPE_NOWAIT = 1;
const ERROR_PIPE_BUSY = 231;
/** The size that CreatePipe gives a pipe by default. Also for a pipe whose size is 0, or not to be had. */
const DEFAULT_BYTES = 4096;

/** Anonymous pipes are named pipes with a unique name, so these work for both. */
const setState = lazyWin32<(handle: number, mode: [number], collect: null, timeout: null) => number>(
  'int __stdcall SetNamedPipeHandleState(intptr_t handle, const uint32_t *mode, void *collect, void *timeout)',
);
const getState = lazyWin32<
  (handle: number, mode: [number], instances: null, collect: null, timeout: null, user: null, size: 0) => number
>(
  'int __stdcall GetNamedPipeHandleStateW(intptr_t handle, _Out_ uint32_t *mode, void *instances, void *collect, void *timeout, void *user, uint32_t size)',
);
const getInfo = lazyWin32<(handle: number, flags: null, writeBytes: [number], readBytes: null, most: null) => number>(
  'int __stdcall GetNamedPipeInfo(intptr_t handle, void *flags, _Out_ uint32_t *writeBytes, void *readBytes, void *most)',
);

/** By descriptor: how many bytes a pipe holds that does not wait. */
const sizes = new Map<number, number>();

/** Returns the most bytes to offer a descriptor in one call: for a pipe that does not wait, as many as it holds. */
export const mostBytes = (fd: number): number => sizes.get(fd) ?? Number.POSITIVE_INFINITY;

/** Returns a pipe's mode; null when the handle may not be asked: it was opened for writing only. */
function modeOf(handle: number): number | null {
  const mode: [number] = [0];
  return getState(handle, mode, null, null, null, null, 0) ? mode[0] : null;
}

/** @throws an Error that says why the mode cannot be set */
function setMode(handle: number, mode: number): void {
  if (setState(handle, [mode], null, null)) return;
  const errno = lastError();
  // Windows refuses the change while bytes are in the pipe: STATUS_PIPE_BUSY.
  if (errno === ERROR_PIPE_BUSY)
    throw new Error('bytes that were written to the pipe before are still unread; it is available once they are read');
  const error = osError(-errno);
  throw new Error(`${error?.code}: ${error?.message}, SetNamedPipeHandleState`);
}

function sizeOf(handle: number): number {
  const size: [number] = [0];
  return (getInfo(handle, null, size, null, null) && size[0]) || DEFAULT_BYTES;
}

/** A pipe whose writers do not wait. */
export type NoWaitPipe = {
  /**
   * Sets the mode again if it was reset. Node's own streams do that, `process.stdout` and `process.stderr`:
   * uv__set_pipe_handle in https://github.com/libuv/libuv/blob/v1.46.0/src/win/pipe.c
   *
   * @throws an Error that says why the mode cannot be set
   */
  keep: () => void;
  restore: () => void;
};

/**
 * Makes writes to a pipe return at once. The mode belongs to this end of the pipe: other processes that write to the
 * same end have it too.
 *
 * @throws an Error that says why the mode cannot be set
 */
export function setNoWait(fd: number): NoWaitPipe {
  const handle = handleOf(fd);
  // The default of a pipe that was opened by its name: CreateFile.
  const before = modeOf(handle) ?? 0;
  if ((before & PIPE_NOWAIT) === 0) setMode(handle, before | PIPE_NOWAIT);
  const isFirst = !sizes.has(fd);
  if (isFirst) sizes.set(fd, sizeOf(handle));
  return {
    keep() {
      const mode = modeOf(handle);
      if (mode !== null && (mode & PIPE_NOWAIT) === 0) setMode(handle, mode | PIPE_NOWAIT);
    },
    restore() {
      if (isFirst) sizes.delete(fd);
      if ((before & PIPE_NOWAIT) === 0) setState(handle, [before], null, null);
    },
  };
}
