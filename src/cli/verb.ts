// What a verb is given, and what it gives back. Verbs leave `process` to main.ts.

export type Cli = {
  /** The command line behind the verb. */
  args: string[];
  env: NodeJS.ProcessEnv;
  /** Writes a line to stdout. */
  print: (line: string) => void;
  /** Writes one line about what went wrong to stderr, and gives `code` back. */
  fail: (code: number, line: string) => number;
  /** Writes to stderr as it is. */
  note: (line: string) => void;
  /** Aborts at the first SIGTERM or SIGINT; from then on the second one ends the process at once. */
  untilSignal: () => AbortSignal;
};

/** Something is wrong with the command line or the environment; the message is one line for people. */
export class UsageError extends Error {}

/** @returns the exit code: 0 fine, 1 the OS refused, 2 usage */
export type Verb = (cli: Cli) => number | Promise<number>;
