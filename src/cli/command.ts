// A command's inputs and its result. Commands leave `process` to main.ts.

export type Cli = {
  /** The command line after the command's name. */
  args: string[];
  env: NodeJS.ProcessEnv;
  /** Writes a line to stdout. */
  print: (line: string) => void;
  /** Writes one line about what went wrong to stderr, and gives `code` back. */
  fail: (code: number, line: string) => number;
  /** Writes to stderr as it is. */
  note: (line: string) => void;
  /** stdout as a stream, for output that has no end. */
  stdout: () => NodeJS.WriteStream;
  /** stderr, if a person looks at it and at stdout; else null. */
  terminal: Terminal | null;
  /** Ends the process at once, whatever is still on its way to a slow reader. */
  leave: (code: number) => never;
  /** Aborts at the first SIGTERM, SIGINT or SIGHUP; from then on the second one ends the process at once. */
  untilSignal: () => AbortSignal;
  /** Calls `last` however the process ends, except by a signal that nobody handles. It must not wait. */
  atExit: (last: () => void) => void;
  /** From now on, `tell` has the last word on an error that nobody caught: then the process ends, with 1. */
  onUncaught: (tell: (error: unknown) => void) => void;
};

/** What a progress bar is drawn on. */
export type Terminal = { write: (text: string) => void };

/** Something is wrong with the command line or the environment; the message is one line for people. */
export class UsageError extends Error {}

/** A service that was asked gave no answer; the message is one line for people. */
export class NoAnswer extends Error {}

/** @returns the exit code: 0 fine, 1 the OS refused; 2 and 3 are those of a UsageError and of NoAnswer */
export type Command = (cli: Cli) => number | Promise<number>;
