// The result of a call, as the kernel returns it.
import { constants } from 'node:os';
import { osError } from '../../../../syscalls/bindings/errno.js';

/** Each errno by its name: all 133 of Linux, since strace names them all and os.constants only 79. */
let errnos: Map<string, number> | undefined;

/**
 * The kernel's own errors, which some drivers return to programs by mistake.
 * https://github.com/torvalds/linux/blob/master/include/linux/errno.h
 */
const KERNEL_ERRNOS: Record<string, number> = {
  ENOIOCTLCMD: 515,
  EPROBE_DEFER: 517,
  EOPENSTALE: 518,
  ENOPARAM: 519,
  EBADHANDLE: 521,
  ENOTSYNC: 522,
  EBADCOOKIE: 523,
  ENOTSUPP: 524,
  ETOOSMALL: 525,
  ESERVERFAULT: 526,
  EBADTYPE: 527,
  EJUKEBOX: 528,
  EIOCBQUEUED: 529,
  ERECALLCONFLICT: 530,
};

/**
 * Returns −errno for a name, or for a number without one, `(errno 600)`; undefined for `?`. A name that nobody knows is
 * `unreadable`: without a result, the call would match whatever its record says.
 */
export function resultOf(number: string | undefined, code: string | undefined): number | undefined | 'unreadable' {
  if (number === '?') return undefined;
  if (code === undefined) return Number(number);
  const unnamed = /^\(errno (\d+)\)$/.exec(code)?.[1];
  if (unnamed !== undefined) return -Number(unnamed);
  // os.constants has the second names of some, such as EWOULDBLOCK.
  errnos ??= new Map([
    ...Object.entries({ ...constants.errno, ...KERNEL_ERRNOS }),
    ...Array.from({ length: 133 }, (_, index): [string, number] => [osError(-index - 1)?.code ?? '', index + 1]),
  ]);
  const errno = errnos.get(code);
  return errno === undefined ? 'unreadable' : -errno;
}

/**
 * Is a result ERESTARTSYS or one of its kind? No program sees them: the kernel itself repeats the call.
 * https://github.com/torvalds/linux/blob/master/include/linux/errno.h
 */
export const isRestart = (result: number): boolean => result <= -512 && result >= -516;
