// Compares the answers with the records, and derives from both the bytes that went to each target.
import assert from 'node:assert/strict';
import type { BurstResult, WriteRequest, WriteResult, WritesResult } from '../../../src/protocol/calls.js';
import type { Problem } from '../../../src/protocol/problem.js';
import type { CallRecord } from '../../../src/protocol/records.js';
import type { WitnessReport } from '../../../src/protocol/system-call.js';

/** The bytes that one call wrote. */
export type Piece = { seq: number; target: string; bytes: Buffer };

type Message = Pick<WriteRequest, 'msg' | 'encoding' | 'witness'>;

type Seen = Partial<WitnessReport>;
const reportOf = ({ systemCalls, complete, dropped, verdict }: CallRecord | WriteResult): Seen | null =>
  verdict === undefined ? null : ({ systemCalls, complete, dropped, verdict } as Seen);

/** Checks that a record has a report if, and only if, its request asked for one; and that it confirms the record. */
function checkReport({ witness = false }: Message, record: CallRecord): void {
  const { level, fd, written, error, systemCalls = [], complete, dropped, verdict } = record;
  assert.deepEqual([reportOf(record) !== null, 'systemCalls' in record], [witness, witness]);
  if (!witness) return;
  // The garbage collector may make more calls than a list keeps.
  assert.match(verdict ?? '', dropped ? /^only \d+ of \d+ calls were kept$/ : /^agrees$/);
  assert.equal(complete, true);
  if (dropped || level === 'uring') return;
  const own = systemCalls.filter(({ name, origin, arguments: [to] }) => {
    return name === 'write' && origin.isLevel && (Number(to) | 0) === fd;
  });
  const bytes = own.reduce((sum, { result }) => sum + Math.max(0, Number(result)), 0);
  assert.equal(bytes, written, 'the witness saw as many bytes as the record has');
  if (error) assert.equal(own.at(-1)?.error?.code, error.code);
}

/** Checks that the report of an answer is that of its records, one after the other. */
function checkAnswersReport(result: WriteResult, records: CallRecord[]): void {
  const [first, ...others] = records;
  assert.equal(result.verdict, records.find(({ verdict }) => verdict !== 'agrees')?.verdict ?? first?.verdict);
  if (others.length === 0) {
    assert.deepEqual(reportOf(result), first && reportOf(first));
    return;
  }
  const all = records.flatMap(({ systemCalls = [] }) => systemCalls);
  const dropped = records.reduce((sum, record) => sum + (record.dropped ?? 0), 0);
  assert.equal((result.systemCalls?.length ?? 0) + (result.dropped ?? 0), all.length + dropped);
  if (!result.dropped) assert.deepEqual(result.systemCalls ?? [], all);
}

/** Returns a message's bytes. Fails on lone surrogates and invalid base64, which Buffer would replace or skip. */
function bytesOf({ msg, encoding = 'utf8' }: Message): Buffer {
  const bytes = Buffer.from(msg, encoding);
  assert.equal(bytes.toString(encoding), msg, 'the service accepted a message that has no exact bytes');
  return bytes;
}

/** Checks the calls of one write: each is asked to write the bytes that the calls before it left over. */
function piecesOfWrite(message: Message, result: WriteResult, records: CallRecord[]): Piece[] {
  const bytes = bytesOf(message);
  const mine = records.splice(0, result.calls);
  let at = 0;
  const pieces = mine.map(({ seq, target, requested, written }) => {
    assert.equal(requested, bytes.length - at, 'the call was asked to write all that was left');
    const piece = { seq, target, bytes: bytes.subarray(at, at + written) };
    at += written;
    return piece;
  });
  const last = mine.at(-1);
  for (const record of mine) checkReport(message, record);
  checkAnswersReport(result, mine);
  const { systemCalls: _, complete: __, dropped: ___, verdict: ____, ...facts } = result;
  assert.deepEqual(
    { ...facts, requestId: last?.requestId },
    {
      requestId: last?.requestId,
      level: last?.level,
      target: last?.target,
      requested: bytes.length,
      written: at,
      error: last?.error,
      calls: mine.length,
      seq: last?.seq,
      durationNs: mine.reduce((sum, { durationNs }) => sum + durationNs, 0),
    },
  );
  return pieces;
}

function piecesOfWrites(writes: Message[], { results }: WritesResult, records: CallRecord[]): Piece[] {
  assert.equal(results.length, writes.length);
  return results.flatMap((result, index) =>
    'status' in result ? [] : piecesOfWrite(writes[index] as Message, result, records),
  );
}

function piecesOfBurst(message: Message & { count: number }, result: BurstResult, records: CallRecord[]): Piece[] {
  const bytes = bytesOf(message);
  const mine = records.splice(0);
  const errors: Record<string, number> = {};
  for (const { error } of mine) if (error) errors[error.code] = (errors[error.code] ?? 0) + 1;
  const durations = mine.map(({ durationNs }) => durationNs);
  assert.equal(mine.length, message.count);
  assert.deepEqual(
    {
      count: result.count,
      written: result.written,
      errors: result.errors,
      firstSeq: result.firstSeq,
      lastSeq: result.lastSeq,
      min: result.durationNs.min,
      max: result.durationNs.max,
      inHistogram: result.histogram.reduce((sum, { calls }) => sum + calls, 0),
    },
    {
      count: mine.length,
      written: mine.reduce((sum, { written }) => sum + written, 0),
      errors,
      firstSeq: mine[0]?.seq,
      lastSeq: mine.at(-1)?.seq,
      min: Math.min(...durations),
      max: Math.max(...durations),
      inHistogram: mine.length,
    },
  );
  for (const record of mine) checkReport(message, record);
  const listed = result.systemCalls?.reduce((sum, { times }) => sum + times, 0) ?? 0;
  const made = mine.reduce((sum, { systemCalls = [], dropped = 0 }) => sum + systemCalls.length + dropped, 0);
  assert.equal(listed + (result.dropped ?? 0), made, 'the sums of the burst have every system call of its records');
  assert.equal(result.disagreed ?? 0, mine.filter(({ verdict = 'agrees' }) => verdict !== 'agrees').length);
  assert.equal(result.verdict, mine.find(({ verdict }) => verdict !== 'agrees')?.verdict ?? mine[0]?.verdict);
  return mine.map(({ seq, target, requested, written }) => {
    assert.equal(requested, bytes.length);
    return { seq, target, bytes: bytes.subarray(0, written) };
  });
}

const BY_ROUTE: Record<string, (sent: never, answer: never, records: CallRecord[]) => Piece[]> = {
  '/write': piecesOfWrite,
  '/writes': (sent: { writes: Message[] }, answer: WritesResult, records) =>
    piecesOfWrites(sent.writes, answer, records),
  '/bursts': piecesOfBurst,
};

/**
 * Returns the bytes that each call of a request wrote. Checks that the answer and the records agree.
 *
 * @param sent the request's body, parsed
 * @param records all records with the request's id
 */
export function piecesOf(route: string, sent: unknown, answer: unknown, records: CallRecord[]): Piece[] {
  const checkCalls = BY_ROUTE[route];
  const pieces = checkCalls ? checkCalls(sent as never, answer as Problem as never, records) : [];
  assert.deepEqual(records, [], 'the answer accounts for every record');
  return pieces;
}
