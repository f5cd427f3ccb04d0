// A command's inputs and its result. Commands leave `process` to main.ts.

export type Cli = {
  /** The command line after the command's name. */
  args: string[];
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
  /** Return a signal that aborts at the first SIGTERM, SIGINT or SIGHUP. The next one ends the process at once. */
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

/** The service gave no answer. The message is one line for people. */
export class NoAnswer extends Error {}

/** stdout did not take all of the output. The message is one line for people. */
export class OutputFailed extends Error {}

/** @returns the exit code: 0 success, 1 the operating system refused. A UsageError becomes 2, a NoAnswer 3, an OutputFailed 1. */
export type Command = (cli: Cli) => number | Promise<number>;
