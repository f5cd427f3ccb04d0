// Calls functions of libc that Node does not provide, through koffi (https://koffi.dev).
import type { KoffiFunc, LibraryHandle } from 'koffi';
import { koffi } from './koffi.js';

// koffi.load(null) searches the whole process in the dynamic linker's order, so an LD_PRELOAD library comes first, as
// it does for other programs. koffi.load('libc.so.6') would bypass that library.
let libc: LibraryHandle | undefined;

/**
 * Binds a C function of libc.
 *
 * @param prototype in koffi's syntax: https://koffi.dev/functions
 * @throws when libc does not have the function, when koffi cannot be loaded, and always on Windows
 */
export function bind<F extends (...args: never[]) => unknown>(prototype: string): KoffiFunc<F> {
  if (process.platform === 'win32') throw new Error(`no libc on Windows: ${prototype}`);
  libc ??= koffi().load(null);
  return libc.func(prototype) as unknown as KoffiFunc<F>;
}

/**
 * Binds a C function of libc at its first call. So a file can be imported on a platform without the function, and a
 * function that is never called costs nothing at start.
 */
export function lazy<F extends (...args: never[]) => unknown>(prototype: string): F {
  let bound: KoffiFunc<F> | undefined;
  const call = (...args: Parameters<F>): ReturnType<F> => {
    bound ??= bind<F>(prototype);
    return bound(...args) as ReturnType<F>;
  };
  return call as unknown as F;
}

/** Returns errno after a call through koffi. Call it directly afterwards: the next call may change errno. */
export const lastErrno = (): number => koffi().errno();

/**
 * Returns this thread's errno, in the first element of a view of its memory: errno(3). Reading and setting it there costs
 * nothing, where koffi.errno() costs a fifth of a write.
 */
export function viewErrno(): Int32Array {
  const location = bind<() => unknown>(`void *${process.platform === 'darwin' ? '__error' : '__errno_location'}()`);
  return new Int32Array(koffi().view(location(), Int32Array.BYTES_PER_ELEMENT));
}
