// Keeps a terminal from stopping the process.
import { constants } from 'node:os';
import { lazy } from '../bindings/libc.js';

const signal = lazy<(number: number, handler: number) => number | bigint>(
  'intptr_t signal(int number, intptr_t handler)',
);
const SIG_IGN = 1;
const { SIGTTOU } = constants.signals;

let users = 0;
let before = 0;

/**
 * Ignores SIGTTOU. When a process in the background writes to its terminal, and the terminal has `stty tostop`, the
 * kernel stops the whole process with this signal, and no request is answered any more. When the signal is ignored, the
 * kernel carries out the write: TOSTOP in https://man7.org/linux/man-pages/man3/termios.3.html
 *
 * A handler would not do: the kernel would restart the write and send the signal again, for ever.
 *
 * @returns a function that undoes it, once all callers have called theirs
 */
export function ignoreSigttou(): () => void {
  if (users === 0) before = Number(signal(SIGTTOU, SIG_IGN));
  users += 1;
  return () => {
    users -= 1;
    if (users === 0) signal(SIGTTOU, before);
  };
}
