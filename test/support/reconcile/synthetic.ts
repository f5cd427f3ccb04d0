// Makes up the records of a service and the trace of the same calls, in every format; and edits such a trace.
import { constants } from 'node:os';
import { preview } from '../../../src/protocol/preview.js';
import type { CallRecord } from '../../../src/protocol/records.js';

export type Write = { time: number; fd: number; count: number; result: number; bytes: Buffer };
/** A record, and the writes of its call as a tracer sees them. */
export type MadeCall = { record: Omit<CallRecord, 'level'> & { level: string }; writes: Write[] };

export const PID = 4711;
const START = 1_767_225_600_000;
const { EAGAIN, ENOSPC, EINTR } = constants.errno;
const NAMES: Record<number, string> = { [EAGAIN]: 'EAGAIN', [ENOSPC]: 'ENOSPC', [EINTR]: 'EINTR' };

/** Returns a source of numbers from 0 to 1, the same ones for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export type Kind = { levels?: string[]; fds?: number[]; message?: (seq: number) => string };

/** Makes up calls on three descriptors: 18 takes everything, 19 is full, 20 is a pipe that may take only a part. */
export function makeCalls(
  count: number,
  next: () => number,
  { levels = ['raw', 'os', 'std'], fds = [18, 19, 20], message }: Kind = {},
): MadeCall[] {
  let time = START;
  return Array.from({ length: count }, (_, index) => {
    const seq = index + 1;
    time += 0.2 + next();
    const level = levels[Math.floor(next() * levels.length)] as string;
    const fd = fds[Math.floor(next() * fds.length)] as number;
    const bytes = Buffer.from(message?.(seq) ?? `${seq} ${'é'.repeat(Math.floor(next() * 40))} "<${seq}>\\\n`);
    const at = (ms: number, write: Pick<Write, 'count' | 'result' | 'bytes'>): Write => ({
      time: time + ms,
      fd,
      ...write,
    });
    const whole = { count: bytes.length, bytes };
    let writes = [at(0.01, { ...whole, result: fd === 19 ? -ENOSPC : bytes.length })];
    let result = writes[0]?.result as number;
    const part = Math.floor(bytes.length / 2);
    if (fd === 20 && part > 0 && next() < 0.5) {
      result = part;
      writes = [at(0.01, { ...whole, result })];
      if (level === 'std') {
        const rest = { count: bytes.length - part, bytes: bytes.subarray(part) };
        if (next() < 0.5) writes.push(at(0.02, { ...rest, result: -EAGAIN }));
        else {
          result = bytes.length;
          writes.push(at(0.02, { ...rest, result: -EINTR }), at(0.03, { ...rest, result: rest.count }));
        }
      }
    }
    const error = result < 0 ? { code: NAMES[-result] as string, errno: -result, message: 'no' } : null;
    return {
      record: {
        type: 'call',
        seq,
        time,
        requestId: `a-${seq}`,
        level,
        target: 'out',
        fd,
        requested: bytes.length,
        written: Math.max(0, result),
        error,
        durationNs: 50_000,
        pid: PID,
        preview: preview(bytes.subarray(0, 64), bytes.length <= 64),
      },
      writes,
    };
  });
}

const quote = (bytes: Buffer): string =>
  [...bytes]
    .map((byte) =>
      byte > 31 && byte < 127 && byte !== 34 && byte !== 92
        ? String.fromCharCode(byte)
        : `\\${byte.toString(8).padStart(3, '0')}`,
    )
    .join('');
const hex = (value: number): string => BigInt.asUintN(64, BigInt(value)).toString(16);

/** The formats whose traces are made up. */
export const PRINTED = ['strace', 'ndjson', 'bpftrace', 'perf'] as const;
export type Printed = (typeof PRINTED)[number];

/** Prints a write as a tracer of each format does; perf prints two lines. */
export const PRINT: Record<Printed, (write: Write) => string> = {
  strace({ time, fd, count, result, bytes }) {
    const cut = bytes.length > 32;
    const end = result < 0 ? `-1 ${NAMES[-result]} (words)` : String(result);
    return `${PID}  ${(time / 1000).toFixed(6)} write(${fd}</tmp/o>, "${quote(bytes.subarray(0, 32))}"${cut ? '...' : ''}, ${count}) = ${end}`;
  },
  ndjson: ({ time, fd, count, result }) =>
    JSON.stringify({ time, pid: PID, tid: PID, syscall: 'write', fd, count, ret: result }),
  bpftrace: ({ time, fd, count, result, bytes }) =>
    `write time=${(time / 1000).toFixed(6)} pid=${PID} tid=${PID} fd=${fd} count=${count} ret=${result} bytes=${[...bytes.subarray(0, 64)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`,
  perf({ time, fd, count, result }) {
    // perf's clock starts with the machine.
    const head = `node ${PID}/${PID} [001] ${((time - START) / 1000 + 777_777).toFixed(6)}: `;
    return `${head}syscalls:sys_enter_write: fd: 0x${hex(fd)}, buf: 0x7f00, count: 0x${hex(count)}\n${head} syscalls:sys_exit_write: 0x${hex(result)}`;
  },
};

export type Expected = { matched: number; missing: number; altered: number; extra: number; unobservable: number };

/**
 * Deletes, alters or adds writes for a share of the calls.
 *
 * @returns the edited writes, and the counts and record numbers that must be reported
 */
export function editTrace(made: MadeCall[], share: number, next: () => number, kinds: readonly string[]) {
  const expected: Expected = { matched: 0, missing: 0, altered: 0, extra: 0, unobservable: 0 };
  const seqs: number[] = [];
  const writes: Write[] = [];
  for (const { record, writes: whole } of made) {
    const kind = next() < share && whole.length > 0 ? kinds[Math.floor(next() * kinds.length)] : 'matched';
    // A record does not show whether its call was interrupted, so a deleted EINTR is not noticed.
    const visible = whole.filter(({ result }) => result !== -EINTR);
    const one = visible[Math.floor(next() * visible.length)] as Write;
    if (kind === 'deleted') {
      expected.missing += 1;
      writes.push(...whole.filter((write) => write !== one));
    } else if (kind === 'altered') {
      expected.altered += 1;
      // Only the first write of a call has all its values in the record.
      writes.push(...whole.map((write) => (write === whole[0] ? { ...write, count: write.count + 1 } : write)));
    } else {
      expected[whole.length === 0 ? 'unobservable' : 'matched'] += 1;
      writes.push(...whole);
    }
    if (kind === 'deleted' || kind === 'altered') seqs.push(record.seq);
    if (kind === 'added') {
      expected.extra += 1;
      const bytes = Buffer.from(`stranger ${record.seq}`);
      writes.push({ time: one.time + 0.08, fd: one.fd, count: 7000 + record.seq, result: 7000 + record.seq, bytes });
    }
  }
  return { writes, expected, seqs };
}
