// Compares what a level claims about a write with the system calls that a witness saw.
import { PREVIEW_BYTES } from '../../protocol/limits.js';
import type { LevelId } from '../../protocol/names.js';
import { preview } from '../../protocol/preview.js';
import { AGREES, type SystemCall, type SystemCallList } from '../../protocol/system-call.js';
import { isWakeUp, placeOf } from '../../protocol/system-call-text.js';
import { minusErrno } from '../bindings/errno.js';

/** The request to a level, and its result. Without the bytes, only their number is compared. */
export type Claim = { level: LevelId; fd: number; requested: number; result: number; bytes?: Uint8Array };

/** Every system call that can write bytes to a descriptor. */
const WRITES = /^(?:p?writev?|pwrite64|pwritev2|send(?:to|msg|mmsg|file|file64)?|vmsplice|splice|tee|copy_file_range)$/;

/** A number without a name: src/syscalls/witness/witness.ts. */
const UNNAMED = /^syscall_-?\d+$/;

/** The place from which a level makes its calls, in words. */
const PLACES: Record<LevelId, string> = {
  raw: "syswire's own instruction",
  int80: "syswire's own instruction",
  uring: "syswire's own instruction",
  os: 'libc',
  std: 'libc',
};

/** The largest count that Node's fs.writeSync passes on. */
const MAX_COUNT_OF_NODE = 2 ** 31 - 1;

const whereFrom = ({ origin }: SystemCall): string =>
  `${placeOf(origin)}${origin.file === null ? ', which is in no file' : origin.symbol === null ? '' : ` (${origin.symbol})`}`;

/** Returns the descriptor that a call was given. */
export const descriptorOf = (call: Pick<SystemCall, 'arguments'>): number => Number(call.arguments[0]) | 0;
const isForeign = ({ origin }: SystemCall): boolean => !origin.isLevel;
const fromElsewhere = (level: LevelId, call: SystemCall): string =>
  `${call.name} came from ${whereFrom(call)}, not from ${PLACES[level]}`;

/** `uring` enters the kernel to submit its write. The result is in the ring, where no witness sees it. */
function judgeUring(writes: SystemCall[], systemCalls: SystemCall[]): string {
  const [write] = writes;
  if (write) return `uring should make no write, and ${write.name} was called`;
  const enters = systemCalls.filter(({ name }) => name === 'io_uring_enter');
  if (enters.length === 0) return 'no io_uring_enter was called';
  const foreign = enters.find(isForeign);
  return foreign ? fromElsewhere('uring', foreign) : AGREES;
}

/** Node refuses these writes itself: src/syscalls/levels/std.ts. */
const isRefusedByNode = ({ level, fd, requested, result }: Claim): boolean =>
  level === 'std' &&
  ((fd < 0 && result === minusErrno('EBADF')) || (requested > MAX_COUNT_OF_NODE && result === minusErrno('EINVAL')));

/** Returns whether a `write` had the bytes that it should have, as far as they were kept. */
function hasBytes(bytes: Uint8Array, { preview: kept, result }: SystemCall): boolean {
  if (kept === null) return true;
  const written = Math.min(bytes.length, Number(result));
  const first = Buffer.from(bytes.subarray(0, Math.min(written, PREVIEW_BYTES)));
  return kept === preview(first, written <= PREVIEW_BYTES);
}

/** Returns why a call is not a write of this level to its descriptor; null if it is one. */
function findStranger({ level, fd }: Claim, call: SystemCall): string | null {
  if (call.name !== 'write') return `${level} should call write, and ${call.name} was called`;
  const abi = level === 'int80' ? 'i386' : 'x86-64';
  if (call.abi !== abi) return `write was called by the ABI ${call.abi}, not ${abi}`;
  if (isForeign(call)) return fromElsewhere(level, call);
  if (descriptorOf(call) !== fd) return `write went to descriptor ${descriptorOf(call)}, not ${fd}`;
  return null;
}

/** Returns what is wrong with the bytes of a `write`; null if nothing is. @param rest the bytes not yet written */
function findMistake({ level, requested, bytes }: Claim, call: SystemCall, rest: number): string | null {
  const count = call.arguments[2];
  // A register of int80 holds 32 bits.
  const expected = level === 'int80' ? Math.min(rest, 2 ** 32 - 1) : rest;
  if (count !== expected) return `write was asked to write ${count} bytes, not ${expected}`;
  if (Number(call.result) > rest) return `write returned ${call.result}, more than the ${rest} bytes it was asked for`;
  if (bytes && !hasBytes(bytes.subarray(requested - rest), call))
    return `write was given other bytes: "${call.preview}"`;
  return null;
}

/**
 * Decides whether the system calls confirm what the level returned.
 *
 * @returns `agrees`, or one sentence that says what does not
 */
export function verdictOf(claim: Claim, { systemCalls, complete, dropped }: SystemCallList): string {
  if (!complete) return `the list ends with ${systemCalls.at(-1)?.name}: later calls were not seen`;
  if (dropped > 0) return `only ${systemCalls.length} of ${systemCalls.length + dropped} calls were kept`;
  const unnamed = systemCalls.find(({ name }) => UNNAMED.test(name));
  if (unnamed) return `${unnamed.name} has no name in the kernel's headers that the addon was built with`;
  const { level, fd, requested, result } = claim;
  const writes = systemCalls.filter((call) => WRITES.test(call.name) && (descriptorOf(call) === fd || !isWakeUp(call)));
  if (level === 'uring') return judgeUring(writes, systemCalls);

  if (writes.length === 0) return isRefusedByNode(claim) ? AGREES : 'no write was called';
  for (const call of writes) {
    const stranger = findStranger(claim, call);
    if (stranger) return stranger;
  }
  // Only libuv repeats a write: after a part of the bytes, and after EINTR.
  if (level !== 'std' && writes.length > 1) return `write was called ${writes.length} times, not once`;
  let rest = requested;
  for (const call of writes) {
    const mistake = findMistake(claim, call, rest);
    if (mistake) return mistake;
    rest -= Math.max(0, Number(call.result));
  }
  const returned = rest < requested ? requested - rest : Number(writes.at(-1)?.result);
  return returned === result ? AGREES : `write returned ${returned}, and level ${level} ${result}`;
}
