// A level whose availability is known only after a try: the kernel or a seccomp filter may refuse it, or a library may be
// missing.
import { minusErrno } from '../bindings/errno.js';
import type { Level, Write } from '../contract.js';

/** The parts of a level that are known without a try. */
export type LevelDescription = Omit<Level, 'write' | 'available' | 'reason'>;

const unavailable: Write = () => minusErrno('ENOSYS');

/**
 * Makes a level that is tried at its first use, not at its import. So a program that does not use the level neither
 * makes a system call for it nor loads a library.
 *
 * @param description its getters stay getters
 * @param open tries the level; returns its `write`, or the reason why it is not available
 */
export function onFirstUse(description: LevelDescription, open: () => Write | string): Level {
  let opened: Write | string | undefined;
  const tryOnce = (): Write | string => {
    opened ??= open();
    return opened;
  };
  const level: Pick<Level, 'write' | 'available' | 'reason'> = {
    get write() {
      const write = tryOnce();
      return typeof write === 'string' ? unavailable : write;
    },
    get available() {
      return typeof tryOnce() !== 'string';
    },
    get reason() {
      const reason = tryOnce();
      return typeof reason === 'string' ? reason : null;
    },
  };
  // Not by spread, which would call the getters.
  return Object.defineProperties(level, Object.getOwnPropertyDescriptors(description)) as Level;
}
