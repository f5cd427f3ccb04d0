// The message about a command that does not exist: the words that people try, and what they mean here.
import { unknown } from '../protocol/choices.js';
import { LEVEL_IDS } from '../protocol/names.js';
import { COMMAND_NAMES } from './commands/index.js';

const MEANT: Readonly<Record<string, string>> = {
  start: 'syswire alone starts the service',
  stop: 'Ctrl-C in the terminal of the service stops it, and so does SIGTERM',
  status: 'curl -s http://127.0.0.1:8080/health shows whether the service runs',
  version: 'syswire --version prints it',
  levels: 'syswire help levels explains them',
  targets: 'syswire help targets explains them',
  ...Object.fromEntries(LEVEL_IDS.map((id) => [id, `it is a level: syswire write ${id} MSG writes at it`])),
};

/** npm keeps a flag without `--` before it, and hands on only its value: `npm start --port 9000`. */
function meantBy(name: string): string | undefined {
  if (/^\d+$/.test(name)) return `for a port, give --port ${name}; with npm, npm start -- --port ${name}`;
  return Object.hasOwn(MEANT, name) ? MEANT[name] : undefined;
}

/** Say that a command is unknown, and what to use in its place. */
export function unknownCommand(name: string): string {
  const meant = meantBy(name);
  return meant === undefined ? unknown('command', name, COMMAND_NAMES) : `command '${name}' is unknown: ${meant}`;
}
