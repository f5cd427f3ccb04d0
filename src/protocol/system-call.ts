// The types of what a witness saw: system calls, where they came from, and the verdict. zod's shapes of the same are
// in witness.ts: the library's types name no package.

/**
 * An error of the operating system.
 *
 * `code` is its name (`EBADF`, on Windows also `ERROR_INVALID_HANDLE`), or `E` or `ERROR_` and the number where it has
 * no name. `errno` is the platform's number, positive. `message` is the platform's text: strerror(3), FormatMessageW.
 */
export type OsError = { code: string; errno: number; message: string };

export type Origin = {
  /** The path of the file that the instruction was loaded from; null for code that was made at run time. */
  file: string | null;
  /** The instruction's address in the file, as objdump and addr2line take it; null without a file. */
  offset: number | null;
  /** The exported function that the instruction belongs to; null if it belongs to none. */
  symbol: string | null;
  /** The instruction's address in this process, in hexadecimal. */
  address: string;
  /** True for a call with which the level writes, from the place where the level makes it. Without a level: any level. */
  isLevel: boolean;
};

/** One system call as the kernel got it. */
export type SystemCall = {
  /** The calling convention. `int $0x80` makes calls of i386, whose numbers are others. */
  abi: 'x86-64' | 'i386';
  number: number;
  /** The name in the kernel's headers; `syscall_N` where they have none. */
  name: string;
  /**
   * The six registers of the arguments; a call that takes fewer ignores the rest. A value that a number cannot hold is
   * a string in hexadecimal. A negative descriptor may show as 4294967295: the kernel takes the lower 32 bits.
   */
  arguments: (number | string)[];
  /** The result in the kernel's convention, −errno for an error. Null for a call that cannot be followed, such as clone. */
  result: number | null;
  /** The error in words; null if there is none. */
  error: OsError | null;
  origin: Origin;
  /** The first 64 bytes that `write`, `pwrite64` or `sendto` wrote, as in a record; null for other calls and errors. */
  preview: string | null;
};

/** The system calls that one thread made meanwhile. */
export type SystemCallList = {
  /** In the order in which they ended. */
  systemCalls: SystemCall[];
  /** False if there may be more calls after the last one: it started a thread or a process. */
  complete: boolean;
  /** The number of calls that are not in the list because there were too many. */
  dropped: number;
};

/** The report of a witness about a write. */
export type WitnessReport = SystemCallList & {
  /** `agrees` if the system calls confirm what the level returned, or one sentence that says what does not. */
  verdict: string;
};

export const AGREES = 'agrees';

/** The fields of an answer or a record that are there only if it had a witness. */
type MayBeWitnessed = { [Field in keyof WitnessReport]?: WitnessReport[Field] | undefined };

/** Returns what a witness saw of an answer's or a record's call; null if it had none. */
export const reportOf = ({
  systemCalls = [],
  complete = true,
  dropped = 0,
  verdict,
}: MayBeWitnessed): WitnessReport | null =>
  verdict === undefined ? null : { systemCalls, complete, dropped, verdict };
