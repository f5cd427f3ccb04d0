// Calls functions of kernel32 and of Windows' sockets library, through koffi (https://koffi.dev).
import type { KoffiFunc } from 'koffi';
import { koffi } from './koffi.js';

/**
 * Binds a function of a Windows library.
 *
 * @param prototype in koffi's syntax: https://koffi.dev/functions
 * @throws when koffi cannot be loaded, and on other platforms
 */
export function bindWin32<F extends (...args: never[]) => unknown>(
  prototype: string,
  library: string | null = 'kernel32.dll',
): KoffiFunc<F> {
  return koffi().load(library).func(prototype) as unknown as KoffiFunc<F>;
}

/** Binds a function at its first call, so that a file can be imported on every platform. */
export function lazyWin32<F extends (...args: never[]) => unknown>(prototype: string, library?: string): F {
  let bound: KoffiFunc<F> | undefined;
  const call = (...args: Parameters<F>): ReturnType<F> => {
    bound ??= bindWin32<F>(prototype, library);
    return bound(...args) as ReturnType<F>;
  };
  return call as unknown as F;
}

/**
 * Returns the error of the call before. Call it only after a failure: after a success it is that of an earlier call.
 *
 * koffi saves the last error after each call (since koffi 2.6.10): https://koffi.dev/changelog
 */
export const lastError = lazyWin32<() => number>('uint32_t __stdcall GetLastError()');

const bindHandles = () => ({
  getStdHandle: bindWin32<(which: number) => number>('intptr_t __stdcall GetStdHandle(uint32_t which)'),
  // The C runtime inside node.exe owns the descriptors above 2; node.exe exports libuv's function for them. It returns
  // −1 for a descriptor that is not open: libuv prevents the C runtime from ending the process because of it.
  // https://github.com/libuv/libuv/blob/v1.46.0/src/win/core.c#L184-L188
  getOsHandle: bindWin32<(fd: number) => number>('intptr_t uv_get_osfhandle(int fd)', null),
});
let handles: ReturnType<typeof bindHandles> | undefined;

/** Returns the handle behind a descriptor; −1 for a descriptor that is not open. */
export function handleOf(fd: number): number {
  handles ??= bindHandles();
  return fd >= 0 && fd <= 2 ? handles.getStdHandle(0xfffffff6 - fd) : handles.getOsHandle(fd);
}
