// Lays out the table of a command as the text of --help, and all tables as that of `syswire help`.
import { LEVEL_IDS, LEVELS_IN_WORDS, type LevelId } from '../protocol/names.js';
import { BUILT_IN_NAMES } from '../syscalls/targets/built-in.js';
import { allFlags, type Command, EXITS, type Flag, type Flags } from './command.js';
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
    columns([...list.map((argument): Row => [argument.name, argument.help]), ...flagRows(allFlags(command))]),
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
    `syswire help COMMAND, or syswire COMMAND --help, has its flags and examples; syswire help levels and help targets
explain those; syswire --version prints the version.`,
    `Exit codes:\n${exitRows(EXITS)}`,
    PAGE,
  ].join('\n\n');

const LEVELS_HERE = `Which levels this machine has, their machine code, and the system calls that each makes:
  curl -s http://127.0.0.1:8080/levels`;

/** Return the text of `syswire help levels`. */
export const describeLevels = (): string =>
  [
    'A level is a way to make the write system call.',
    columns(LEVEL_IDS.map((id): Row => [id, LEVELS_IN_WORDS[id].is])),
    'syswire help LEVEL says where to read on.',
    LEVELS_HERE,
  ].join('\n\n');

/** Return the text of `syswire help uring`. */
export const describeLevel = (id: LevelId): string =>
  [
    `${id}: ${LEVELS_IN_WORDS[id].is}`,
    `Read on: ${LEVELS_IN_WORDS[id].manual}`,
    `Write at this level, with a service that runs; --witness lists the system calls that it makes:
  syswire write ${id} hello`,
    LEVELS_HERE,
  ].join('\n\n');

/** Return the text of `syswire help targets`. */
export const describeTargets = (): string => {
  const [stdout, stderr, nothing, ...faults] = BUILT_IN_NAMES;
  return [
    'A target is a descriptor with a name, to which clients may write.',
    columns([
      [stdout as string, 'the standard output of the service; write takes it by default'],
      [stderr as string, 'its standard error, which has the log too'],
      [nothing as string, 'the null device, which takes everything and keeps nothing; burst takes it by default'],
      ['fault targets', `refuse every byte with a known error (Linux): ${faults.slice(0, 5).join(', ')},`],
      ['', `${faults.slice(5).join(', ')}`],
    ]),
    'A further one is given when the service starts:\n  syswire --target log=/tmp/log',
    'All targets of a running service, each with its kind and the error that it gives:\n  curl -s http://127.0.0.1:8080/targets',
  ].join('\n\n');
};
