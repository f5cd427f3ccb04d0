// Targets on Windows: telling a pipe from a socket, and keeping a pipe from blocking its writer.
import type { Kind } from '../../protocol/names.js';
import { handleOf, lazyWin32 } from '../bindings/kernel32.js';
import { type NoWaitPipe, setNoWait } from '../bindings/pipe-win32.js';
import type { Target } from './target.js';

/** The type of file in `mode`: libuv has it from GetFileType. `isFIFO()` is always false on Windows. */
const S_IFMT = 0o170000;
const S_IFIFO = 0o010000;

/** winsock2.h */
const SOL_SOCKET = 0xffff;
const SO_TYPE = 0x1008;
const getsockopt = lazyWin32<
  (socket: number, level: number, name: number, value: Int32Array, size: Int32Array) => number
>('int __stdcall getsockopt(intptr_t socket, int level, int name, _Out_ int *value, _Inout_ int *size)', 'ws2_32.dll');

/** GetFileType returns FILE_TYPE_PIPE for a socket too. Only a socket has socket options. */
function isSocket(fd: number): boolean {
  try {
    return getsockopt(handleOf(fd), SOL_SOCKET, SO_TYPE, new Int32Array(1), Int32Array.of(4)) === 0;
  } catch {
    return false; // without koffi
  }
}

/** Returns `pipe` or `socket`; null for everything else. @param mode st_mode, as fs.fstat returns it */
export function pipeOrSocket(fd: number, mode: number): Kind | null {
  if ((mode & S_IFMT) !== S_IFIFO) return null;
  return isSocket(fd) ? 'socket' : 'pipe';
}

/**
 * Makes a pipe's target non-blocking. While that cannot be done, the target has a reason. Each look at the reason tries
 * again: a pipe may be busy, and Node's own streams reset the mode.
 */
export function neverWaiting(target: Target): Target {
  let pipe: NoWaitPipe | undefined;
  let isClosed = false;

  function tryNoWait(): string | null {
    if (isClosed) return null;
    try {
      if (pipe) pipe.keep();
      else pipe = setNoWait(target.fd);
      return null;
    } catch (error) {
      return `it cannot be kept from blocking the service: ${(error as Error).message}`;
    }
  }

  tryNoWait();
  return {
    ...target,
    get shared() {
      return pipe !== undefined;
    },
    get reason() {
      return tryNoWait();
    },
    close() {
      isClosed = true;
      pipe?.restore();
      target.close();
    },
  };
}

/** Why a socket is no target on Windows. WriteFile waits for room in it, and its mode cannot be read to be restored. */
export const SOCKET_REASON = 'a socket cannot be kept from blocking the service on Windows: use a pipe or a file';
