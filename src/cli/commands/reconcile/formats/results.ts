// The result of a call, as the kernel returns it.
import { osError } from '../../../../syscalls/bindings/errno.js';

/** Each errno by its name: all 133 of Linux, since strace names them all and os.constants only 79. */
let errnos: Map<string, number> | undefined;

/** Returns −errno for a name; undefined for `?`, or for a name that this system does not know. */
export function resultOf(number: string | undefined, code: string | undefined): number | undefined {
  if (number === '?') return undefined;
  if (code === undefined) return Number(number);
  errnos ??= new Map(Array.from({ length: 133 }, (_, index) => [osError(-index - 1)?.code ?? '', index + 1]));
  const errno = errnos.get(code);
  return errno === undefined ? undefined : -errno;
}

/**
 * Is a result ERESTARTSYS or one of its kind? No program sees them: the kernel itself repeats the call.
 * https://github.com/torvalds/linux/blob/master/include/linux/errno.h
 */
export const isRestart = (result: number): boolean => result <= -512 && result >= -516;
