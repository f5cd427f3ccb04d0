// The records against the answers: which bytes went where, by both.
import assert from 'node:assert/strict';
import type { BurstResult, WriteRequest, WriteResult, WritesResult } from '../../../src/protocol/calls.js';
import type { Problem } from '../../../src/protocol/problem.js';
import type { CallRecord } from '../../../src/protocol/records.js';

/** The bytes that one call wrote. */
export type Piece = { seq: number; target: string; bytes: Buffer };

type Message = Pick<WriteRequest, 'msg' | 'encoding'>;

/** What a message means, and nothing else: Buffer writes something for lone surrogates, and for what is no base64. */
function bytesOf({ msg, encoding = 'utf8' }: Message): Buffer {
  const bytes = Buffer.from(msg, encoding);
  assert.equal(bytes.toString(encoding), msg, 'was taken, and has no bytes');
  return bytes;
}

/** The calls of one write, each of what the ones before it left over. */
function ofWrite(message: Message, result: WriteResult, records: CallRecord[]): Piece[] {
  const bytes = bytesOf(message);
  const mine = records.splice(0, result.calls);
  let at = 0;
  const pieces = mine.map(({ seq, target, requested, written }) => {
    assert.equal(requested, bytes.length - at, 'the rest was asked for');
    const piece = { seq, target, bytes: bytes.subarray(at, at + written) };
    at += written;
    return piece;
  });
  const last = mine.at(-1);
  assert.deepEqual(
    { ...result, requestId: last?.requestId },
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

function ofWrites(writes: Message[], { results }: WritesResult, records: CallRecord[]): Piece[] {
  assert.equal(results.length, writes.length);
  return results.flatMap((result, index) =>
    'status' in result ? [] : ofWrite(writes[index] as Message, result, records),
  );
}

function ofBurst(message: Message & { count: number }, result: BurstResult, records: CallRecord[]): Piece[] {
  const bytes = bytesOf(message);
  const mine = records.splice(0);
  const refused: Record<string, number> = {};
  for (const { error } of mine) if (error) refused[error.code] = (refused[error.code] ?? 0) + 1;
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
      errors: refused,
      firstSeq: mine[0]?.seq,
      lastSeq: mine.at(-1)?.seq,
      min: Math.min(...durations),
      max: Math.max(...durations),
      inHistogram: mine.length,
    },
  );
  return mine.map(({ seq, target, requested, written }) => {
    assert.equal(requested, bytes.length);
    return { seq, target, bytes: bytes.subarray(0, written) };
  });
}

const OF: Record<string, (sent: never, answer: never, records: CallRecord[]) => Piece[]> = {
  '/write': ofWrite,
  '/writes': (sent: { writes: Message[] }, answer: WritesResult, records) => ofWrites(sent.writes, answer, records),
  '/bursts': ofBurst,
};

/**
 * What one request's calls wrote, by its answer and its records, which have to agree.
 *
 * @param sent the body, as JSON has it
 * @param records all that have the request's id
 */
export function piecesOf(route: string, sent: unknown, answer: unknown, records: CallRecord[]): Piece[] {
  const of = OF[route];
  const pieces = of ? of(sent as never, answer as Problem as never, records) : [];
  assert.deepEqual(records, [], 'no record is without its answer');
  return pieces;
}
