// Colours, for terminals only.
import { isatty, WriteStream } from 'node:tty';
import { inspect } from 'node:util';

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan' | 'magenta' | 'blue' | 'white';

/**
 * Return true if a descriptor is a terminal that shows colours, and the user has not declined them: https://no-color.org.
 *
 * Node decides by TERM and such. It also reads FORCE_COLOR, which would win over NO_COLOR, and Node 20 reads an empty
 * NO_COLOR as set: https://nodejs.org/api/tty.html#writestreamgetcolordepthenv
 */
export const hasColours = (fd: number, env: NodeJS.ProcessEnv): boolean =>
  isatty(fd) &&
  !env.NO_COLOR &&
  // The method asks only the environment. A stream would change the mode of the terminal.
  WriteStream.prototype.hasColors({ ...env, NO_COLOR: undefined, FORCE_COLOR: undefined } as object);

/** Not styleText(): from Node 22.13 on it asks whether process.stdout is a terminal, and this text may be for stderr. */
export function paint(style: Style, text: string): string {
  const [on, off] = inspect.colors[style] as [number, number];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}
