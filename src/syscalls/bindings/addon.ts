// Loads the native addon, which levels raw, int80 and uring use.
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Write } from '../contract.js';
import { ROOT } from '../root.js';

/**
 * Makes one write(2) from an address, which is not checked: it may be an invalid one.
 *
 * @returns the bytes written (0 or more), or −errno
 */
export type WriteFrom = (fd: number, address: bigint, count: bigint) => number;

/** The functions that native/addon.cc exports for one level. */
export type NativeLevel = {
  write: Write;
  writeFrom: WriteFrom;
  /** A copy of the instruction's machine code. */
  code: () => Uint8Array;
  /** The address of that machine code. */
  address: () => bigint;
};

/** The reason why the addon has no witness: the call that failed, and its −errno (native/witness.h). */
export type WitnessRefusal = { refusedBy: string; errno: number };

/** The functions of native/addon-witness.cc. */
export type NativeWitness = {
  /**
   * Calls `callback`, and lists the system calls that the thread makes meanwhile, `limit` at most. An exception of the
   * callback goes on as it is.
   *
   * @param words takes the list: the number of calls, or −1 if there is no witness; the number of calls beyond the
   *   limit; 1 if the list is complete, else 0; then 12 words for each call, struct WitnessedCall in native/witness.h
   * @param previews takes the first bytes that each call wrote, PREVIEW_BYTES a call
   * @returns what the callback returns, or a WitnessRefusal if there is no witness
   */
  run: (callback: () => unknown, limit: number, words: BigInt64Array, previews: Uint8Array) => unknown;
  /** Tries the witness. Returns null if it works. */
  probe: () => WitnessRefusal | null;
  /** Finds the file that an instruction was loaded from. Null: from none. */
  locate: (address: bigint) => { file: string; symbol: string | null; offset: number } | null;
  /** Returns the names of the system calls of an ABI in the order of their numbers, with one blank between two. */
  names: (is32bit: boolean) => string;
};

export type Addon = NativeLevel & {
  witness: NativeWitness;
  int80: NativeLevel & {
    /** Tries the interrupt in a child process. Returns the result of `call`, or the signal that killed the child. */
    probe: () => { call: string; result: number; signal: number };
  };
  uring: NativeLevel & {
    /** Tries one write. Returns result 0, or the −errno of the `call` that failed. */
    probe: () => { call: string; result: number };
  };
  /** Ends the process when its event loop is stuck after a stop signal. */
  watchdog: {
    /** Watches SIGTERM, SIGINT and SIGHUP, whose handlers must be there already. @param seconds how long it waits */
    start: (seconds: number) => void;
    /** Says that the event loop is alive. */
    feed: () => void;
  };
};

const here = `${process.platform}-${process.arch}`;

/**
 * Returns the path of the addon's file. It depends on nothing but this machine: no variable of the environment, and no
 * search that could find the file of another machine.
 */
export const addonPath = (): string => path.join(ROOT, 'prebuilds', here, 'syswire.node');

/**
 * Returns why there is no addon. In a clone native/build.mjs left its reason beside, which `npm start` does not print: this
 * is the one place that tells it.
 */
function whyMissing(file: string): string {
  try {
    const reason = readFileSync(path.join(path.dirname(file), 'failed.txt'), 'utf8').trim();
    return `${reason}; npm run build tries again`;
  } catch {
    return `there is no native addon for ${here} (${file}): ${advice()}`;
  }
}

/**
 * Throws if a file of ELF ends before the place that its header names for its last table, the section headers
 * (https://man7.org/linux/man-pages/man5/elf.5.html). The dynamic loader does not check that: it maps such a file, and the
 * process dies of SIGBUS.
 */
function checkWhole(file: string): void {
  const fd = openSync(file, 'r');
  try {
    const header = Buffer.alloc(64);
    readSync(fd, header);
    const isElf64 = header.toString('latin1', 0, 6) === '\x7fELF\x02\x01';
    const end = Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60);
    const { size } = fstatSync(fd);
    if (isElf64 && size < end) throw new Error(`${file} is cut off: it has ${size} of ${end} bytes`);
  } finally {
    closeSync(fd);
  }
}

/** Say what to do about an addon that cannot be loaded. An installed package has no sources of the build. */
function advice(): string {
  return existsSync(path.join(ROOT, 'scripts/build.mjs'))
    ? 'run npm run build, which says what is missing'
    : 'use level os or std';
}

function load(): Addon | string {
  if (process.platform === 'win32')
    return 'Windows does not document its system call numbers, and they change from build to build';
  const file = addonPath();
  if (!existsSync(file)) return whyMissing(file);
  try {
    checkWhole(file);
    return createRequire(import.meta.url)(file) as Addon;
  } catch (error) {
    return `the native addon could not be loaded (${(error as Error).message.split('\n', 1)[0]}): ${advice()}`;
  }
}

/** The addon for this machine, or the reason why it could not be loaded. */
export const addon: Addon | string = load();
