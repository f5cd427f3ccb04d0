// The types that describe a level: the signature that all levels share, and the facts that are reported about each.
import type { LevelId } from '../protocol/names.js';

/**
 * Makes one write(2) and returns its result in the kernel's own convention. A refusal by the operating system is a
 * return value, not an exception.
 *
 * @param fd a file descriptor, a 32-bit integer
 * @param bytes the bytes to write; of a subarray, its own bytes only
 * @returns the bytes written (0 or more), or −errno. On Windows, a full pipe that does not wait is 0, not an error.
 * @throws TypeError when `fd` is not a 32-bit integer or `bytes` is not a Uint8Array. Levels raw, int80 and uring also
 *   throw it for a detached buffer or a SharedArrayBuffer.
 * @see https://man7.org/linux/man-pages/man2/write.2.html
 */
export type Write = (fd: number, bytes: Uint8Array) => number;

/** The way of a level into the kernel. A field that does not apply to the level is null. */
export type Via = {
  /** The instruction of ours that enters the kernel: `syscall`, `svc #0`. */
  instruction: string | null;
  /** The function that the level calls instead: `write`, `WriteFile`, `fs.writeSync`. */
  symbol: string | null;
  /** The library that has the function, for people: `libc`, `Node 20.11.0, libuv 1.46.0`. */
  library: string | null;
  /** The path of the file that the code was loaded from. */
  file: string | null;
  /** The address of the code in this process, in hexadecimal: `0x7f…`. */
  address: string | null;
};

/** The calling convention of the instruction: syscall(2), "Architecture calling conventions". */
export type Registers = {
  /** The register that holds the system call's number. */
  number: string;
  /** The registers of the arguments, in order. */
  arguments: string[];
  /** The meaning of each of these arguments, for people: `descriptor`. */
  meanings: string[];
  result: string;
  /** The registers that the kernel overwrites besides `result`; also `flags` and `memory`. */
  clobbered: string[];
  /** The rule by which a program recognizes an error: `a value from -4095 to -1 in rax is -errno`. */
  error: string;
};

export type Level = {
  id: LevelId;
  write: Write;
  available: boolean;
  /** Why the level is not available on this machine; null when it is. */
  reason: string | null;
  via: Via;
  /** Null where the level has no instruction of its own. */
  registers: Registers | null;
  /** The system call's number; null where a library chooses it. */
  number: number | null;
  /** The machine code of the instruction, or of libc's function, read back from memory; null where it is unknown. */
  code: Uint8Array | null;
  /** The same code as text, one instruction per line (x86-64: AT&T syntax); null for the code of a library. */
  disassembly: string[] | null;
  /** True for each outside tool that sees a call of this level; null where this was not tested. */
  seenBy: { strace: boolean; seccomp: boolean; ldPreload: boolean; ltrace: boolean } | null;
  /** The URL of the call's documentation. */
  manPage: string;
};

/** The instruction of a level on one platform. */
export type Convention = {
  /** The instruction that enters the kernel. */
  instruction: string;
  /** The system call's number. */
  number: number;
  registers: Registers;
  /** The machine code in hexadecimal. */
  code: string;
  /** The machine code as text, one instruction per line. */
  disassembly: string[];
};
