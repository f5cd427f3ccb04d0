// The witness: lists every system call that this thread makes during a call (native/witness.cc).
// docs/witness.md says what it sees and what it does not.
import { types } from 'node:util';
import { PREVIEW_BYTES } from '../../protocol/limits.js';
import { LEVEL_IDS, type LevelId } from '../../protocol/names.js';
import { preview } from '../../protocol/preview.js';
import type { SystemCall, SystemCallList } from '../../protocol/system-call.js';
import { type Addon, addon, type WitnessRefusal } from '../bindings/addon.js';
import { osError } from '../bindings/errno.js';
import { originOf } from './origin.js';

/** The list, and the callback's return value. */
export type Witnessed<T> = SystemCallList & { result: T };

export type WitnessOptions = {
  /** The level that the callback calls: `origin.isLevel` is about it. */
  level?: LevelId;
  /** The most calls to keep, 1 to 256 (64). */
  limit?: number;
};

/** The most calls that a list has. */
export const MAX_CALLS = 256;
const DEFAULT_CALLS = 64;

/** The words before the first call, and those of one call: `run` in bindings/addon.ts. */
const HEADER_WORDS = 3;
const WORDS_PER_CALL = 12;

/** The memory for one list. There is only one witness at a time in a thread, so it is used again. */
let memory: { words: BigInt64Array; previews: Uint8Array } | undefined;
const allocate = (): { words: BigInt64Array; previews: Uint8Array } => ({
  words: new BigInt64Array(HEADER_WORDS + MAX_CALLS * WORDS_PER_CALL),
  previews: new Uint8Array(MAX_CALLS * PREVIEW_BYTES),
});

type Abi = SystemCall['abi'];
const names: Partial<Record<Abi, string[]>> = {};

function nameOf(abi: Abi, number: number, native: Addon): string {
  names[abi] ??= native.witness.names(abi === 'i386').split(' ');
  return names[abi][number] || `syscall_${number}`;
}

/** Returns a register's value as a number, or in hexadecimal if a number cannot hold it. */
function plain(register: bigint, abi: Abi): number | string {
  if (abi === 'i386') return Number(BigInt.asUintN(32, register));
  const number = Number(register);
  return Number.isSafeInteger(number) ? number : `0x${BigInt.asUintN(64, register).toString(16)}`;
}

/** Reads one call of a list. @param at its place in the list */
function toSystemCall(
  { words, previews }: { words: BigInt64Array; previews: Uint8Array },
  at: number,
  levels: readonly LevelId[],
  native: Addon,
): SystemCall {
  const first = HEADER_WORDS + at * WORDS_PER_CALL;
  const word = (index: number): bigint => words[first + index] as bigint;
  const abi = word(0) === 1n ? 'i386' : 'x86-64';
  const number = Number(word(1));
  const name = nameOf(abi, number, native);
  const result = word(9) === 1n ? Number(word(10)) : null;
  const size = Number(word(11));
  const written = size < 0 ? null : Buffer.from(previews.buffer, at * PREVIEW_BYTES, size);
  return {
    abi,
    number,
    name,
    arguments: [2, 3, 4, 5, 6, 7].map((index) => plain(word(index), abi)),
    result,
    error: result === null || result >= 0 || result < -4095 ? null : osError(result),
    origin: originOf(name, Number(word(8)), levels),
    preview: written && preview(written, result === size),
  };
}

/** The −errno of refusals that are no error of the kernel's: native/witness.h. */
const NO_KERNEL_ERROR: Record<string, string> = {
  witness: 'one is running in this thread already: let the outer one end first',
  threads: 'too many threads have one at the same time',
  sigaction: 'this process handles SIGSYS itself: remove that handler first',
  rt_sigpending: 'a SIGSYS waits that this thread has blocked: unblock it first',
  valgrind: 'valgrind runs this process, and makes the system calls itself',
  getppid: 'the kernel accepts Syscall User Dispatch, but does not do it',
};

function explain({ refusedBy, errno }: WitnessRefusal): string {
  const known = NO_KERNEL_ERROR[refusedBy];
  if (known) return known;
  const code = osError(errno)?.code;
  if (refusedBy === 'prctl' && code === 'EINVAL')
    return 'the kernel has no Syscall User Dispatch (prctl failed with EINVAL): Linux has it since 5.11; gVisor and qemu-user do not';
  if (refusedBy === 'prctl') return `a seccomp filter or the kernel forbids it: prctl failed with ${code}`;
  return `${refusedBy} failed with ${code}`;
}

/** Returns why this platform has no witness; null if it may have one. */
function findReason(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `it needs Linux on x86-64; this is ${process.platform} on ${process.arch}`;
  return typeof addon === 'string' ? addon : null;
}

/**
 * Tries the witness once. The answer may change: when this process gets a handler of SIGSYS, for example.
 *
 * @returns `reason` in words if it is not available
 */
export function witnessAvailability(): { available: boolean; reason: string | null } {
  const refusal = typeof addon === 'string' ? null : addon.witness.probe();
  const reason = findReason() ?? (refusal && explain(refusal));
  return { available: reason === null, reason };
}

const isThenable = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

const notAvailable = (reason: string): Error =>
  Object.assign(new Error(`the witness is not available: ${reason}`), { code: 'ERR_NO_WITNESS' });

const ASYNC = 'a witness sees only what happens before its callback returns: give it a callback that is not async';

/**
 * Calls a function, and lists every system call that this thread makes meanwhile.
 *
 * Calls that other threads make are not seen, nor what the kernel does for an io_uring.
 *
 * Before its first use, a level may open a library or try the kernel. To keep that out of the list, read its `available`
 * first.
 *
 * @param callback must not be async
 * @returns its result, and the list
 * @throws Error with the code ERR_NO_WITNESS when there is no witness here, before the callback is called; TypeError for
 *   wrong arguments, or when the callback returned a promise; and what the callback throws
 * @example witness(() => levels.std.write(fd, bytes), { level: 'std' })
 */
export function witness<T>(callback: () => T, { level, limit = DEFAULT_CALLS }: WitnessOptions = {}): Witnessed<T> {
  if (typeof callback !== 'function') throw new TypeError(`callback must be a function: ${callback}`);
  if (types.isAsyncFunction(callback)) throw new TypeError(ASYNC);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_CALLS)
    throw new TypeError(`limit must be a whole number from 1 to ${MAX_CALLS}: ${limit}`);
  const reason = findReason();
  if (reason !== null) throw notAvailable(reason);
  const native = addon as Addon;
  memory ??= allocate();
  const { words, previews } = memory;
  const result = native.witness.run(callback, limit, words, previews);
  const count = Number(words[0]);
  if (count < 0) throw notAvailable(explain(result as WitnessRefusal));
  if (isThenable(result)) throw new TypeError(ASYNC);

  const levels = level === undefined ? LEVEL_IDS : [level];
  // Not by push(), which makes room for 17: lists are mostly short, and many are kept.
  const systemCalls = new Array<SystemCall>(count);
  for (let at = 0; at < count; at++) systemCalls[at] = toSystemCall(memory, at, levels, native);
  return { result: result as T, systemCalls, complete: words[2] === 1n, dropped: Number(words[1]) };
}
