// The terminals of the standard streams, at the end of the process.
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

const terminals = [0, 1, 2].filter((fd) => isatty(fd));

/**
 * Closes standard streams whose terminal has gone. At its exit Node restores the settings of every terminal that it
 * started with, and aborts when one refuses; a closed descriptor it leaves alone: ResetStdio in
 * https://github.com/nodejs/node/blob/v20.x/src/node.cc
 */
export function closeGoneTerminals(): void {
  // A terminal that has hung up does not answer as one any more: tcgetattr(3) gives EIO.
  for (const fd of terminals)
    if (!isatty(fd)) {
      try {
        closeSync(fd);
      } catch {} // closed already
    }
}
