// Lays out the table of a command as the text of --help, and all tables as that of `syswire help`.
import { COMMON_FLAGS, type Command, EXITS, type Flag, type Flags } from './command.js';
import { usageOf } from './flags.js';

type Row = readonly [left: string, right: string];

/** The widest left column; what is wider has its text in the next line. */
const MOST_COLUMNS = 24;

const PAGE = `A running service has a page for all this at http://127.0.0.1:8080/, and the reference of its routes at
http://127.0.0.1:8080/docs.`;

function columns(rows: readonly Row[], most = MOST_COLUMNS): string {
  const width = Math.min(most, Math.max(...rows.map(([left]) => left.length)));
  return rows
    .map(([left, right]) =>
      left.length > width ? `  ${left}\n  ${' '.repeat(width)}  ${right}` : `  ${left.padEnd(width)}  ${right}`,
    )
    .join('\n');
}

/** Return `-h, --help`, `--target NAME` or `--[no-]faults`. */
function spell(name: string, { value, short, negatable }: Flag): string {
  const long = negatable ? `--[no-]${name}` : `--${name}`;
  return `${short ? `-${short}, ` : ''}${long}${value ? ` ${value}` : ''}`;
}

const flagRows = (flags: Flags): Row[] =>
  Object.entries(flags).map(([name, flag]) => [spell(name, flag), `${flag.help}${flag.several ? '; repeatable' : ''}`]);

const exitRows = (exits: Readonly<Record<number, string>>): string =>
  Object.entries(exits)
    .map(([code, meaning]) => `  ${code}  ${meaning}`)
    .join('\n');

/** Return the text of `syswire NAME --help`. */
export function describeCommand(name: string, command: Command): string {
  const { summary, arguments: list, flags, details, examples, exits } = command;
  return [
    `${usageOf(name, command)}${Object.keys(flags).length > 0 ? ' [flags]' : ''}: ${summary}`,
    columns([
      ...list.map((argument): Row => [argument.name, argument.help]),
      ...flagRows(flags),
      ...flagRows(COMMON_FLAGS),
    ]),
    ...(details === undefined ? [] : [details]),
    `Examples:\n${examples.map(([line, shows]) => `  ${line}\n      ${shows}`).join('\n')}`,
    `Exit codes:\n${exitRows(exits)}`,
    PAGE,
  ].join('\n\n');
}

const FIRST_STEPS: readonly Row[] = [
  ['syswire', 'start the service, and leave it running'],
  ["syswire write raw $'hello\\n'", 'in a second terminal: ask it for a write, with its own syscall instruction'],
  ['syswire watch --since 1', 'show every call so far, and those that follow'],
];

/** Return the text of `syswire help`. */
export const describeAll = (commands: ReadonlyMap<string, Command>): string =>
  [
    'syswire makes the write system call for you, for real, at the level of abstraction that you pick.',
    `Commands:\n${columns(
      [...commands].map(
        ([name, each]): Row => [name === 'serve' ? 'syswire [serve]' : usageOf(name, each), each.summary],
      ),
      36,
    )}`,
    `First steps:\n${columns(FIRST_STEPS, 36)}`,
    'syswire help COMMAND, or syswire COMMAND --help, has its flags and examples; syswire --version prints the version.',
    `Exit codes:\n${exitRows(EXITS)}`,
    PAGE,
  ].join('\n\n');
