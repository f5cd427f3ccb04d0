// A command: the table that describes it, its inputs and its result. The table is what `--help`, the completion scripts
// and the parser are made from. Commands leave `process` to main.ts.

/** The kinds of values that a shell can complete: a file, the name of a target, either of them, or NAME=PATH. */
export type Completes = 'file' | 'target' | 'target-or-file' | 'assignment';

export type Flag = {
  /** The name of the value, for people: `MS`. A flag without it is on or off. */
  value?: string;
  help: string;
  /** One letter. */
  short?: string;
  /** True if it may be given several times. */
  several?: boolean;
  /** True if the command does not run without it. */
  isRequired?: boolean;
  /** True if --no-NAME turns it off. */
  negatable?: boolean;
  /** The values that it may have. */
  choices?: readonly string[];
  completes?: Completes;
  /** The unit of its number: `milliseconds`. The parser then requires a number. */
  unit?: string;
  /** The field of a request that it sets. The service names this in its refusals, and the user is told of the flag. */
  field?: string;
};
export type Flags = Readonly<Record<string, Flag>>;

export type Argument = {
  /** Its name in the usage: `LEVEL`. */
  name: string;
  /** Its name in messages: `level`. */
  noun: string;
  help: string;
  choices?: readonly string[];
  completes?: Completes;
  /** True if it need not be UTF-8. Names and paths must be. */
  isBytes?: boolean;
  isOptional?: boolean;
  /** True if there may be several. The arguments behind it are the last words. */
  isSeveral?: boolean;
};

type ValueOf<F extends Flag> = F extends { value: string }
  ? F extends { several: true }
    ? string[]
    : string
  : boolean;
/** The flags that were given. */
export type Values<F extends Flags = Flags> = { [N in keyof F]?: ValueOf<F[N]> };

export type Command<F extends Flags = Flags> = {
  /** One line, which begins with a verb. */
  summary: string;
  arguments: readonly Argument[];
  flags: F;
  /** Paragraphs for `--help`, below the flags. */
  details?: string;
  /** Command lines, each with what it shows. */
  examples: readonly (readonly [line: string, shows: string])[];
  /** The meaning of its exit codes. EXITS has the ones that all commands share. */
  exits: Readonly<Record<number, string>>;
  /**
   * @param values the flags that were given
   * @param words the arguments that are no flags: as many as the table has, without the optional ones that were left out
   * @returns the exit code. A UsageError becomes 2, a NoAnswer 3, an OutputFailed 1.
   */
  run(cli: Cli, values: Values<F>, words: string[]): number | Promise<number>;
};

/** Keep the types of a command's flags. */
export const command = <const F extends Flags>(table: Command<F>): Command<F> => table;

/** The flags of every command. */
export const COMMON_FLAGS = {
  help: { short: 'h', help: 'show this help' },
  version: { short: 'v', help: 'print the version; only as the first argument' },
} satisfies Flags;

/** Return the flags that a command takes: its own, and the common ones without a letter that stands for one of its own. */
export function allFlags({ flags }: Command): Flags {
  const letters = new Set(Object.values(flags).map(({ short }) => short));
  const common = Object.entries(COMMON_FLAGS).map(([name, { short, help }]) => [
    name,
    letters.has(short) ? { help } : { short, help },
  ]);
  return { ...flags, ...Object.fromEntries(common) };
}

/** The exit codes of all commands. docs/command.md has the same table. */
export const EXITS: Readonly<Record<number, string>> = {
  0: 'success',
  1: 'the operating system refused the call, or the output could not be written',
  2: 'the command was called wrongly, or its input cannot be used',
  3: 'no service answers',
};

export type Cli = {
  env: NodeJS.ProcessEnv;
  /** Write lines to stdout, all of them. A reader that has gone is no error. @throws OutputFailed */
  print: (line: string) => void;
  /** Write an error to stderr as one line after `syswire: `. Return `code`. */
  fail: (code: number, line: string) => number;
  /**
   * Write a line to stderr. If that fails, the exit code is not 0. `print`, `note` and `fail` escape control and other
   * invisible characters.
   */
  note: (line: string) => void;
  /** Return stdout as a stream, for output without an end. */
  stdout: () => NodeJS.WriteStream;
  /** stderr if it and stdout are terminals, otherwise null. */
  terminal: Terminal | null;
  /** End the process at once. Output that a slow reader has not taken is lost. */
  leave: (code: number) => never;
  /**
   * Return a signal that aborts at the first SIGTERM, SIGINT or SIGHUP, with its name as the reason. The next one ends
   * the process at once.
   */
  untilSignal: () => AbortSignal;
  /** Call `last` when the process ends, unless a signal without a handler kills it. `last` must be synchronous. */
  atExit: (last: () => void) => void;
  /** Call `reopen` at each SIGUSR1. */
  onReopen: (reopen: () => void) => void;
  /** Call `report` with an uncaught error, then end the process with exit code 1. */
  onUncaught: (report: (error: unknown) => void) => void;
};

/** The place where a command draws its progress bar. */
export type Terminal = { write: (text: string) => void };

/** The command line or the environment is wrong. The message is one line for people. */
export class UsageError extends Error {}

/** One mistake in a request. `pointer` is the field as a problem has it, `#/msg`; the stream's errors have none. */
export type Mistake = { detail: string; pointer?: string };

/** The service refused the request. */
export class Refused extends UsageError {
  constructor(readonly mistakes: readonly Mistake[]) {
    super(mistakes.map(({ detail }) => detail).join('; '));
  }
}

/** The service gave no answer. The message is one line for people. */
export class NoAnswer extends Error {}

/** stdout did not take all of the output. The message is one line for people. */
export class OutputFailed extends Error {}
