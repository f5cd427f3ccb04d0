// Gives made-up records a witness, and prints a trace with the io_uring_enter of `uring`.
import { PREVIEW_BYTES } from '../../../src/protocol/limits.js';
import { preview } from '../../../src/protocol/preview.js';
import type { OsError, SystemCall } from '../../../src/protocol/system-call.js';
import { type MadeCall, PID, PRINT, type Write } from './synthetic.js';

/** The descriptor of the service's io_uring. */
export const RING = 25;

const ORIGIN = { file: null, offset: null, symbol: null, address: '0x7f00', isLevel: true };

/** Returns a system call as a record has it. */
export function systemCall(
  name: string,
  registers: number[],
  result: number,
  preview: string | null = null,
): SystemCall {
  const error: OsError | null = result < 0 ? { code: 'E', errno: -result, message: 'no' } : null;
  return { abi: 'x86-64', number: 1, name, arguments: registers, result, error, origin: ORIGIN, preview };
}

function ofWrite({ fd, count, result, bytes }: Write): SystemCall {
  const first = bytes.subarray(0, Math.max(0, Math.min(result, PREVIEW_BYTES)));
  return systemCall('write', [fd, 0, count], result, result < 0 ? null : preview(first, result <= PREVIEW_BYTES));
}

export const enter = (result = 2): SystemCall => systemCall('io_uring_enter', [RING, 2, 2, 1, 0, 0], result);

/** Other things that a witness may say than the writes that were made. */
export type Says = {
  writes?: Write[];
  systemCalls?: unknown;
  complete?: unknown;
  dropped?: unknown;
  verdict?: unknown;
};

/** Adds a witness to a record. It saw the writes that were made, among calls of V8, or what is given. */
export function withWitness({ record, writes }: MadeCall, says: Says = {}): MadeCall {
  const { writes: seen = writes, ...fields } = says;
  const own = record.level === 'uring' ? [enter()] : seen.map(ofWrite);
  const systemCalls = [systemCall('futex', [0, 0, 0], 0), ...own, systemCall('madvise', [0, 0, 0], 0)];
  return {
    record: { ...record, systemCalls, complete: true, dropped: 0, verdict: 'agrees', ...fields } as never,
    writes,
  };
}

/** Makes up a call of 5 bytes, "hello", at a level and time, as the given writes. */
export function makeHello(
  seq: number,
  level: string,
  written: number,
  results: [count: number, result: number][],
): MadeCall {
  const time = 1_767_225_600_000 + seq;
  const bytes = Buffer.from('hello');
  let done = 0;
  const writes = results.map(([count, result], index): Write => {
    const write = { time: time + 0.01 * (index + 1), fd: 18, count, result, bytes: bytes.subarray(done, done + count) };
    done += Math.max(0, result);
    return write;
  });
  const error = written < 0 ? { code: 'E', errno: -written, message: 'no' } : null;
  const record: MadeCall['record'] = {
    ...{ type: 'call', seq, time, requestId: `a-${seq}`, level, target: 'out', fd: 18, requested: 5 },
    ...{ written: Math.max(0, written), error, durationNs: 500_000, pid: PID, preview: 'hello' },
  };
  return { record, writes };
}

/** Prints an io_uring_enter as strace does. */
export const printEnter = (time: number, result = 2): string =>
  `${PID}  ${(time / 1000).toFixed(6)} io_uring_enter(${RING}<anon_inode:[io_uring]>, 2, 2, IORING_ENTER_GETEVENTS, NULL, 0) = ${result}`;

/** Returns the lines of strace for calls; those of `uring` as io_uring_enter. */
export const linesOf = (calls: MadeCall[]): string[] =>
  calls.flatMap(({ record, writes }) =>
    record.level === 'uring' ? [printEnter(record.time + 0.01)] : writes.map((write) => PRINT.strace(write)),
  );
