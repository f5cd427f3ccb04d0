// The witness of a record: the calls that it saw, as far as a trace can have them. Read by hand as the rest of the line.
//
// Three sides are compared then: the record, its witness and the trace. The witness is a third opinion where the other
// two differ.
import { PREVIEW_BYTES } from '../../../protocol/limits.js';
import { makeSafe } from '../../../protocol/preview.js';
import { AGREES } from '../../../protocol/system-call.js';
import { ENTER, type TracedWrite } from './formats/format.js';
import type { RecordedCall } from './record-line.js';

/** A call that the witness saw, with the fields of one that a tracer saw. */
export type WitnessedCall = Pick<TracedWrite, 'name' | 'fd' | 'count' | 'result' | 'text' | 'isWhole'>;

export type Witness = {
  /** The calls of `write` on the record's descriptor; at level `uring`, those of io_uring_enter. */
  calls: WitnessedCall[];
  /** False if calls may be missing in the list: then it is no evidence. */
  isWhole: boolean;
  /** Do the calls explain what the record says? */
  confirms: boolean;
  /** `agrees`, or a sentence. It is about more than `confirms`: also about where the calls came from. */
  verdict: string;
};

/** The fields of a record in a file, which anything may have written. */
type Untrusted = { systemCalls?: unknown; complete?: unknown; dropped?: unknown; verdict?: unknown };
type UntrustedCall = { name?: unknown; arguments?: unknown; result?: unknown; preview?: unknown } | null;

/** Returns an argument as the kernel reads a descriptor or a number of 32 bits. */
const toInt = (value: number | string | undefined): number => Number(value) | 0;

/** A register is a string where a JSON number cannot hold its value. */
const areRegisters = (values: unknown): values is (number | string)[] =>
  Array.isArray(values) && values.every((value) => typeof value === 'number' || typeof value === 'string');

/** The largest count that Node's fs.writeSync passes on. */
const MAX_COUNT_OF_NODE = 2 ** 31 - 1;

/** Node refuses these writes of `std` itself, without a system call: src/syscalls/levels/std.ts. */
const isRefusedByNode = ({ fd, count, result = 0 }: Omit<RecordedCall, 'witness'>): boolean =>
  result < 0 && (fd < 0 || count > MAX_COUNT_OF_NODE);

/**
 * Returns the bytes of a write. The witness keeps those that were written, so they may be fewer than those of a record,
 * and the last character may be cut in two.
 */
function shown(preview: unknown, count: number, result: number): Pick<WitnessedCall, 'text' | 'isWhole'> {
  if (typeof preview !== 'string') return { text: undefined, isWhole: false };
  const isWhole = result === count || result > PREVIEW_BYTES;
  const text = makeSafe(preview);
  return { text: isWhole ? text : text.replace(/\ufffd+$/, ''), isWhole };
}

/** Reads a system call. @returns null for one that is not compared, `bad` if it is none */
function parseCall(call: UntrustedCall, wanted: string): WitnessedCall | null | 'bad' {
  if (call === null || typeof call !== 'object' || typeof call.name !== 'string') return 'bad';
  if (call.name !== wanted) return null;
  const { arguments: registers, result, preview } = call;
  if (!areRegisters(registers) || typeof result !== 'number') return 'bad';
  const fd = toInt(registers[0]);
  if (call.name === ENTER) {
    return { name: ENTER, fd, count: toInt(registers[1]), result, text: undefined, isWhole: false };
  }
  const count = Number(registers[2]);
  return { name: 'write', fd, count, result, ...shown(preview, count, result) };
}

/**
 * Returns true if the calls explain the record: together they wrote what it says, and each asked for what was left.
 * The verdict is not asked: it was made by the service, and the record may have been changed since.
 */
function confirms(call: Omit<RecordedCall, 'witness'>, calls: WitnessedCall[], verdict: string): boolean {
  // The result of `uring` is in the ring.
  if (call.level === 'uring') return verdict === AGREES && calls.length > 0;
  if (call.level === 'std' && calls.length === 0) return verdict === AGREES && isRefusedByNode(call);
  const [first] = calls;
  if (!first || (call.level !== 'std' && calls.length > 1)) return false;
  if (first.text !== undefined && !(first.isWhole ? first.text === call.text : call.text.startsWith(first.text)))
    return false;
  let left = call.count;
  for (const { count, result } of calls) {
    if (count !== left) return false;
    left -= Math.max(0, result as number);
  }
  const returned = left < call.count ? call.count - left : calls.at(-1)?.result;
  return call.result === undefined || returned === call.result;
}

/** Reads what a witness saw. @returns null if the record has no witness, or one of another version */
export function parseWitness(line: Untrusted, call: Omit<RecordedCall, 'witness'>): Witness | null {
  const { systemCalls, complete, dropped, verdict } = line;
  if (systemCalls === undefined) return null;
  if (!Array.isArray(systemCalls) || typeof complete !== 'boolean') return null;
  if (typeof dropped !== 'number' || typeof verdict !== 'string') return null;
  const wanted = call.level === 'uring' ? ENTER : 'write';
  const calls: WitnessedCall[] = [];
  for (const each of systemCalls) {
    const parsed = parseCall(each, wanted);
    if (parsed === 'bad') return null;
    if (parsed !== null && (wanted === ENTER || parsed.fd === call.fd)) calls.push(parsed);
  }
  // A sentence of a file: it goes to a terminal.
  const safe = verdict === AGREES ? AGREES : makeSafe(verdict);
  return { calls, isWhole: complete && dropped === 0, confirms: confirms(call, calls, safe), verdict: safe };
}
