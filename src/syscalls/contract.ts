// What a level is: the one signature that all of them share, and what is told about each.
import type { LevelId } from '../protocol/names.js';

/**
 * One write, in the kernel's own convention.
 *
 * @param fd a file descriptor
 * @param bytes what to write; a subarray writes its own bytes
 * @returns the bytes written (0 or more), or −errno. It never throws for what the OS says.
 * @throws TypeError when `fd` is no whole number of 32 bits, or `bytes` no Uint8Array; at raw, int80 and uring also
 *   when its buffer is detached or shared
 * @see https://man7.org/linux/man-pages/man2/write.2.html
 */
export type Write = (fd: number, bytes: Uint8Array) => number;

/** How a level reaches the kernel; what does not apply is null. */
export type Via = {
  /** The instruction of our own that enters the kernel: `syscall`, `svc #0`. */
  instruction: string | null;
  /** The function that is called instead: `write`, `WriteFile`, `fs.writeSync`. */
  symbol: string | null;
  /** Where that function lives, in words. */
  library: string | null;
  /** The file that the code was loaded from. */
  file: string | null;
  /** Where it lies in this process's memory, as hex. */
  address: string | null;
};

/** The calling convention of the instruction. */
export type Registers = {
  number: string;
  arguments: string[];
  result: string;
  /** What the kernel overwrites besides the result. */
  clobbered: string[];
  /** How an error is told from a count. */
  error: string;
};

export type Level = {
  id: LevelId;
  write: Write;
  available: boolean;
  /** Why it is not available here; null when it is. */
  reason: string | null;
  via: Via;
  registers: Registers | null;
  /** The system call's number, as it is loaded; null where the level leaves it to a library. */
  number: number | null;
  /** The machine code, read back from memory; null where it is not ours. */
  code: Uint8Array | null;
  /** The same in words, one instruction a line, AT&T syntax on x86-64; null where it is not ours. */
  disassembly: string[] | null;
  /** Who can see a call of this level from outside; null where nobody has tried. */
  seenBy: { strace: boolean; seccomp: boolean; ldPreload: boolean; ltrace: boolean } | null;
  /** Where to read on. */
  manPage: string;
};

/** How a level is made on a platform; `instruction` enters the kernel. */
export type Convention = {
  instruction: string;
  number: number;
  registers: Registers;
  /** The machine code as hex, and in words. */
  code: string;
  disassembly: string[];
};
