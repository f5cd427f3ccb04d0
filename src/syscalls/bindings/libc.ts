// The functions of libc that Node does not offer, called through koffi.
import koffi, { type KoffiFunc } from 'koffi';

// koffi.load(null) looks names up in the whole process, as the dynamic linker does for everybody
// else, so that an LD_PRELOAD library is found first. koffi.load('libc.so.6') would go past it.
const libc = process.platform === 'win32' ? null : koffi.load(null);

/** Binds a C function, given its prototype. @throws on Windows, which has no libc to ask. */
export function bind<F extends (...args: never[]) => unknown>(prototype: string): KoffiFunc<F> {
  if (!libc) throw new Error(`no libc on ${process.platform}: ${prototype}`);
  return libc.func(prototype) as unknown as KoffiFunc<F>;
}

/**
 * The same, looked up when it is first called: importing works where the function does not exist, and
 * what is never called costs nothing at start.
 */
export function lazy<F extends (...args: never[]) => unknown>(prototype: string): F {
  let bound: KoffiFunc<F> | undefined;
  const call = (...args: Parameters<F>): ReturnType<F> => {
    bound ??= bind<F>(prototype);
    return bound(...args) as ReturnType<F>;
  };
  return call as unknown as F;
}

/** What the last function called through koffi left in errno: read it directly after the call. */
export const lastErrno = (): number => koffi.errno();
