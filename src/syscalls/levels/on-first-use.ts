// A level that a machine may refuse, which only trying can tell.
import { type Addon, addon } from '../bindings/addon.js';
import { minusErrno } from '../bindings/errno.js';
import type { Level, Write } from '../contract.js';

const none: Write = () => minusErrno('ENOSYS');

/**
 * A level that is tried when somebody first asks for it, so that importing it costs nothing.
 *
 * @param about what is known of it without trying
 * @param writeOf what makes the call, once `probe` has found that it can
 * @param probe why it is not available here; null when it is
 */
export function onFirstUse(
  about: Omit<Level, 'write' | 'available' | 'reason'>,
  writeOf: (of: Addon) => Write,
  probe: () => string | null,
): Level {
  let why: string | null | undefined;
  const reason = (): string | null => {
    if (why === undefined) why = probe();
    return why;
  };
  return {
    ...about,
    get write() {
      return reason() === null && typeof addon !== 'string' ? writeOf(addon) : none;
    },
    get available() {
      return reason() === null;
    },
    get reason() {
      return reason();
    },
  };
}
