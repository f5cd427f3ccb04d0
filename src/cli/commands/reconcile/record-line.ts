// One line of records, read as a value. The lines are checked by hand: zod would take longer for a million of
// them than the whole comparison.
import { makeSafe } from '../../../protocol/preview.js';
import type { CallRecord, Gap } from '../../../protocol/records.js';
import type { CallName } from './formats/format.js';
import { parseWitness, type Witness } from './witness.js';

/** A record, as far as a trace can confirm it. */
export type RecordedCall = {
  /** The system call that a trace has of it: src/cli/commands/reconcile/uring.ts has the records of `io_uring_enter`. */
  name: CallName;
  seq: number;
  /** The place of its run among those of the records, from 0, and the request that made it. */
  run: number;
  requestId: string;
  /** Are records gone between it and the one before it? */
  isAfterHole: boolean;
  pid: number;
  fd: number;
  level: string;
  /** The bytes asked for. */
  count: number;
  /** As the kernel returns it: bytes written, or −errno. Undefined if the call returned what no kernel returns. */
  result: number | undefined;
  /** The start and the end of the call, in milliseconds since 1970. */
  time: number;
  end: number;
  /** The first bytes, escaped as in the record's `preview`. */
  text: string;
  /** The calls that its witness saw; null if it had none. */
  witness: Witness | null;
  /** The record itself, if the other fields have the values of its system call; else null. */
  record: RecordedCall | null;
};

const NUMBERS = ['seq', 'time', 'fd', 'requested', 'written', 'durationNs', 'pid'] as const;
const STRINGS = ['level', 'preview'] as const;

/** The fields of a record that are checked. A level may be any string: a newer service may have more of them. */
type CheckedRecord = Pick<CallRecord, (typeof NUMBERS)[number] | 'preview'> & { level: string };
type Untrusted = { [field in keyof CallRecord | keyof Gap | 'run' | 'last']?: unknown };

/** The first line and the last one of a run of the service, as far as they count here. */
export type RunLine = { type: 'hello'; run: string } | { type: 'end'; last: number };

/** The content of a line: a record, a gap, an end of a run, or nothing that counts; `bad` is no line of the stream. */
export type RecordLine = RecordedCall | Gap | RunLine | 'ignored' | 'bad';

/** The latest time, in ms since 1970, that is a date. */
const LATEST = 8.64e15;

const hasCheckedFields = (value: Untrusted): value is CheckedRecord & Untrusted =>
  NUMBERS.every((key) => typeof value[key] === 'number') &&
  STRINGS.every((key) => typeof value[key] === 'string') &&
  Math.abs(value.time as number) + Math.abs(value.durationNs as number) / 1e6 <= LATEST;

/** Returns the call's result, `bad` if `error` is neither null nor has an errno. */
function resultOf({ written, error }: CheckedRecord & Untrusted): number | undefined | 'bad' {
  if (error === null) return written;
  const errno = (error as { errno?: unknown } | undefined)?.errno;
  if (typeof errno !== 'number') return 'bad';
  // A library between the service and the kernel returned a count that cannot be, or an error without an errno.
  return errno === 0 ? undefined : -errno;
}

const BEGIN = '{"type":"call","seq":';
const OTHERS = ['{"type":"hello",', '{"type":"gap",', '{"type":"end",'];

/** Reads a line that a kill or a full disk cut short: its record is gone, like those of a gap. */
function parseCut(line: string): Gap | 'ignored' | 'bad' {
  const [, begin, seq, comma] = /^(\{"type":"call","seq":)(\d*)(,)?/.exec(line) ?? [];
  if (begin === undefined) {
    const isCut = BEGIN.startsWith(line) || OTHERS.some((other) => line.startsWith(other) || other.startsWith(line));
    return isCut ? 'ignored' : 'bad';
  }
  // Without the comma the number itself may be cut.
  return comma === undefined ? 'ignored' : { type: 'gap', from: Number(seq), to: Number(seq) };
}

export function parseRecordLine(line: string): RecordLine {
  let value: Untrusted | null;
  try {
    value = JSON.parse(line);
  } catch {
    return parseCut(line);
  }
  if (value?.type === 'gap' && typeof value.from === 'number' && typeof value.to === 'number')
    return { type: 'gap', from: value.from, to: value.to };
  if (value?.type === 'hello') return { type: 'hello', run: String(value.run) };
  if (value?.type === 'end') return typeof value.last === 'number' ? { type: 'end', last: value.last } : 'ignored';
  if (value?.type !== 'call' || !hasCheckedFields(value)) return 'bad';
  const result = resultOf(value);
  if (result === 'bad') return 'bad';
  const { seq, time, fd, requested, durationNs, pid, level, preview } = value;
  const call: RecordedCall = {
    name: 'write',
    seq,
    run: 0,
    requestId: typeof value.requestId === 'string' ? value.requestId : '',
    isAfterHole: false,
    pid,
    fd,
    level,
    count: requested,
    result,
    time,
    end: time + durationNs / 1e6,
    text: makeSafe(preview),
    witness: null,
    record: null,
  };
  if (value.systemCalls !== undefined) call.witness = parseWitness(value, call);
  return call;
}

/** A record as the service writes it, without a witness: the fields that say where and when its call was made. */
const PLAIN_RECORD =
  /^\{"type":"call","seq":(\d+),"time":([\d.]+),"requestId":"[^"\\]*","level":"(\w+)","target":"[^"\\]*","fd":(-?\d+),"requested":\d+,"written":\d+,"error":(?:null|\{[^{}]*\}),"durationNs":(\d+),"pid":(\d+),"preview":"(?:[^"\\]|\\.)*"\}$/;

/**
 * Reads a line for an overview of the records. Of most, the process, the descriptor and the time are enough: that takes
 * less than half as long. The line is checked when it is read again.
 */
export function parseBriefly(line: string): RecordLine {
  const plain = PLAIN_RECORD.exec(line);
  if (!plain) return parseRecordLine(line);
  const time = Number(plain[2]);
  return {
    name: 'write',
    seq: Number(plain[1]),
    run: 0,
    requestId: '',
    isAfterHole: false,
    pid: Number(plain[6]),
    fd: Number(plain[4]),
    level: plain[3] as string,
    count: 0,
    result: undefined,
    time,
    end: time + Number(plain[5]) / 1e6,
    text: '',
    witness: null,
    record: null,
  };
}
