// A level whose availability is known only after a try: the kernel, or a seccomp filter, may refuse it.
import { type Addon, addon } from '../bindings/addon.js';
import { minusErrno } from '../bindings/errno.js';
import type { Level, Write } from '../contract.js';

const unavailable: Write = () => minusErrno('ENOSYS');

/**
 * Makes a level that is tried at its first use, not at its import. So a program that does not use the level makes no
 * system call for it.
 *
 * @param description the parts of the level that are known without a try
 * @param writeOf returns the level's write; called only if the level is available
 * @param probe tries the level; returns the reason why it is not available, or null
 */
export function onFirstUse(
  description: Omit<Level, 'write' | 'available' | 'reason'>,
  writeOf: (addon: Addon) => Write,
  probe: () => string | null,
): Level {
  let probed: string | null | undefined;
  const findReason = (): string | null => {
    if (probed === undefined) probed = probe();
    return probed;
  };
  return {
    ...description,
    get write() {
      return findReason() === null && typeof addon !== 'string' ? writeOf(addon) : unavailable;
    },
    get available() {
      return findReason() === null;
    },
    get reason() {
      return findReason();
    },
  };
}
