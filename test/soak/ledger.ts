// The accounting. The file of --record is the truth. While the service writes it, the ledger compares each record with
// the clients' requests and answers, with the lines of subscribers, and with the bytes at the targets.
import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import type { BurstResult, WriteResult, WritesResult } from '../../src/protocol/calls.js';
import { PREVIEW_BYTES } from '../../src/protocol/limits.js';
import { preview } from '../../src/protocol/preview.js';
import type { CallRecord } from '../../src/protocol/records.js';
import { type Account, createAccounts } from './accounts.js';
import type { Checks } from './checks.js';
import { createColumn } from './column.js';
import { bytesOf, type Message } from './messages.js';
import { createPrint, type Print } from './print.js';
import { addReport, emptyReported, isReportOf, type Reported, withoutReport } from './reports.js';

export type Kind = 'write' | 'writes' | 'bursts';

/** The sum of one message's records. */
type Tally = {
  requested: number;
  calls: number;
  written: number;
  firstSeq: number;
  seq: number;
  error: CallRecord['error'];
  errors: Record<string, number>;
  durationNs: number;
  reported: Reported;
};

/** A request, and the place that its records have reached. */
type Entry = {
  kind: Kind;
  messages: readonly Message[];
  tallies: Tally[];
  /** The index of the message that the last record belongs to, and that message's bytes. */
  at: number;
  bytes: Buffer;
  answer?: unknown;
};

/** The message of a record, and the bytes that the call was asked to write. */
type Found = { message: Message; tally: Tally; piece: Buffer; waits: boolean };

export type Ledger = {
  /** Adds a request that is about to be sent. */
  expect: (id: string, kind: Kind, messages: readonly Message[]) => void;
  /** Adds the answer with status 200, to compare it with the request's records once they are read. */
  addAnswer: (id: string, answer: unknown) => void;
  /** Notes an answer with another status: the request must never have a record. */
  markRefused: (id: string) => void;
  /** Notes that the client left before its answer: the request's calls must end. */
  markGone: (id: string) => void;
  /**
   * Notes that the service knows all clients that left before `asked`: it has accepted a new connection since.
   * @param seq the next record at that time
   * @param asked by performance.now()
   */
  markSeen: (seq: number, asked: number) => void;
  /** Compares a record's line with the same record's line from other readers. */
  compare: (seq: number, line: string) => void;
  /** Adds the account of a subscriber that has left, to audit it once its records are read. */
  addAccount: (account: Account) => void;
  /** Returns the first `seq` that is not read yet. */
  next: () => number;
  /** Reads the record file up to its present end. */
  read: () => Promise<void>;
  /** Target → fingerprint of the bytes that its records say were written. */
  recorded: ReadonlyMap<string, Print>;
  /** `target code` → number of records with that error. */
  errors: ReadonlyMap<string, number>;
  /** Returns the number of records with a list of system calls. */
  witnessed: () => number;
  /** Checks at the end that no answer and no account is left over. */
  close: () => void;
};

export type LedgerOptions = {
  checks: Checks;
  file: string;
  pid: number;
  /** Targets whose bytes are accounted for. */
  readable: readonly string[];
  /** All targets; `expects` is the errno of a fault target, null for others. */
  targets: readonly { name: string; expects: string | null }[];
};

const CHUNK = 1 << 18;
/** The service may take so long to stop the calls of a client that has left, besides what `markSeen` allows. */
const GRACE_MS = 2000;
const NONE = Buffer.alloc(0);

const emptyTally = (): Tally => ({
  requested: 0,
  calls: 0,
  written: 0,
  firstSeq: 0,
  seq: 0,
  error: null,
  errors: {},
  durationNs: 0,
  reported: emptyReported(),
});

export function createLedger({ checks, file, pid, readable, targets }: LedgerOptions): Ledger {
  const { check } = checks;
  const fd = openSync(file, 'r');
  const entries = new Map<string, Entry>();
  const toSettle = new Map<string, Entry>();
  const recorded = new Map(readable.map((name) => [name, createPrint()]));
  const expects = new Map(targets.map(({ name, expects }) => [name, expects]));
  const errors = new Map<string, number>();
  const fds = new Map<string, number>();
  /** `seq` → checksum of the record's line. */
  const checksums = createColumn(Uint32Array);
  const accounts = createAccounts(targets.map(({ name }) => name));
  const open: Account[] = [];
  /** Target → the message that has its turn, among those that wait. */
  const turns = new Map<string, Tally>();
  /** Requests whose client has left: `leaving` has the time, `left` the next record when the service had seen it. */
  const leaving = new Map<string, number>();
  const left = new Map<string, number>();
  let next = 1;
  let witnessed = 0;
  let rest = NONE;

  function compare(seq: number, line: string): void {
    const checksum = crc32(line) || 1;
    const known = checksums.at(seq);
    if (known === 0) checksums.set(seq, checksum);
    else check('a record is the same in the file, on the stream and in GET /events', known === checksum, () => line);
  }

  /** Finds the message of a record, and the bytes that the call was asked to write. @returns null if no message fits */
  function findMessage(entry: Entry, record: CallRecord): Found | null {
    for (; entry.at < entry.messages.length; entry.at++, entry.bytes = NONE) {
      const message = entry.messages[entry.at] as Message;
      const tally = entry.tallies[entry.at] as Tally;
      if (entry.bytes === NONE) entry.bytes = bytesOf(message);
      const piece = entry.bytes.subarray(entry.kind === 'bursts' ? 0 : tally.written);
      const isOver =
        entry.kind !== 'bursts' && tally.calls > 0 && (message.timeoutMs === 0 || tally.written === tally.requested);
      if (!isOver && fits(record, message, piece))
        return { message, tally, piece, waits: entry.kind !== 'bursts' && message.timeoutMs > 0 };
      // Only a message that waits may end without a call, or with bytes left.
      if (!isOver && message.timeoutMs === 0) return null;
    }
    return null;
  }

  function addRecord(record: CallRecord, line: string): void {
    const { seq, target, requested, written, error } = record;
    check('records are numbered 1, 2, 3 … without a hole, and the record file has no gap', seq === next, () => line);
    next = seq + 1;
    compare(seq, line);
    accounts.addRecord(record);
    if (error) errors.set(`${target} ${error.code}`, (errors.get(`${target} ${error.code}`) ?? 0) + 1);
    const isConstant = record.pid === pid && (fds.get(target) ?? record.fd) === record.fd;
    check("a record has the service's process id, and always the same descriptor for a target", isConstant, () => line);
    fds.set(target, record.fd);
    const always = expects.get(target);
    if (always && requested > 0)
      check('a fault target always gives its errno', error?.code === always && written === 0, () => line);
    check('no call is made for a client that has left', seq < (left.get(record.requestId) ?? Infinity), () => line);
    const entry = entries.get(record.requestId);
    const found = entry ? findMessage(entry, record) : null;
    check('each record belongs to a request that was sent, in its order, with its bytes', found !== null, () => {
      const due = entry?.messages[entry.at];
      return `expected ${JSON.stringify(due)}: ${line}`;
    });
    if (!found) return;
    const { message, tally, piece, waits } = found;
    if (waits) {
      const isItsTurn = tally.calls === 0 || turns.get(target) === tally;
      check('messages that wait for one target never mix', isItsTurn, () => line);
      turns.set(target, tally);
    }
    if (tally.calls === 0) Object.assign(tally, { requested, firstSeq: seq });
    tally.calls += 1;
    tally.written += written;
    tally.seq = seq;
    tally.error = error;
    if (error) tally.errors[error.code] = (tally.errors[error.code] ?? 0) + 1;
    tally.durationNs += record.durationNs;
    recorded.get(target)?.add(piece.subarray(0, written));
    const isBurst = entry?.kind === 'bursts';
    if (addReport(checks, tally.reported, record, { isWitnessed: message.witness, isBurst })) witnessed += 1;
  }

  function settle(id: string, { kind, messages, tallies, answer }: Entry): void {
    const expected = tallies.map((tally, index) => resultFrom(kind, id, messages[index] as Message, tally));
    const results = resultsOf[kind](answer);
    const isRight = (result: Result, index: number): boolean =>
      'status' in result ? tallies[index]?.calls === 0 : isDeepStrictEqual(withoutReport(result), expected[index]);
    const wrong =
      results.length === expected.length ? results.findIndex((result, index) => !isRight(result, index)) : 0;
    check(`an answer of /${kind} is the sum of its records`, wrong < 0, () =>
      JSON.stringify({ index: wrong, result: results[wrong], expected: expected[wrong], message: messages[wrong] }),
    );
    for (const [index, result] of results.entries()) {
      const { reported } = tallies[index] as Tally;
      const isTheirs = 'status' in result || isReportOf(result, reported);
      check('the system calls of an answer are those of its records', isTheirs, () =>
        JSON.stringify({ result, reported }).slice(0, 5000),
      );
    }
  }

  function settleAll(): void {
    for (const [id, entry] of toSettle) {
      if (lastOf(entry) >= next) continue;
      settle(id, entry);
      toSettle.delete(id);
      // Forget the request: one more record of it would now belong to no request.
      entries.delete(id);
    }
  }

  return {
    recorded,
    errors,
    compare,
    next: () => next,
    witnessed: () => witnessed,
    expect(id, kind, messages) {
      entries.set(id, { kind, messages, tallies: messages.map(emptyTally), at: 0, bytes: NONE });
    },
    addAnswer(id, answer) {
      const entry = entries.get(id) as Entry;
      entry.answer = answer;
      toSettle.set(id, entry);
    },
    markRefused(id) {
      const calls = entries.get(id)?.tallies.filter((tally) => tally.calls > 0).length;
      check('a request that is refused makes no call', calls === 0, () => id);
      entries.delete(id);
    },
    markGone(id) {
      leaving.set(id, performance.now());
    },
    markSeen(seq, asked) {
      for (const [id, gone] of leaving) {
        if (gone + GRACE_MS > asked) break;
        left.set(id, seq);
        leaving.delete(id);
      }
    },
    addAccount: (account) => open.push(account),
    async read() {
      for (;;) {
        const chunk = Buffer.allocUnsafe(CHUNK);
        const length = readSync(fd, chunk);
        if (length === 0) break;
        rest = Buffer.concat([rest, chunk.subarray(0, length)]);
        const end = rest.lastIndexOf(10);
        for (const line of end < 0 ? [] : rest.toString('utf8', 0, end).split('\n')) {
          const value = JSON.parse(line);
          if (value.type !== 'hello' && value.type !== 'end') addRecord(value, line);
        }
        rest = rest.subarray(end + 1);
        settleAll();
        await setImmediate();
      }
      for (const [id, seq] of left) if (seq <= next) entries.delete(id);
      for (const account of open.splice(0)) {
        if (account.next > next) open.push(account);
        else {
          const wrong = accounts.audit(account);
          check('for each subscriber, delivered + lost = made', wrong === null, () => wrong ?? '');
        }
      }
    },
    close() {
      closeSync(fd);
      check('the records for every answer and every subscriber are there', toSettle.size + open.length === 0, () =>
        JSON.stringify([[...toSettle.keys()].slice(0, 5), open.slice(0, 5)]),
      );
      check('the record file ends with a whole line', rest.length === 0);
    },
  };
}

/** Returns true if a record can be that of a call that was asked to write `piece` of a message. */
function fits(
  { level, target, requested, written, preview: shown }: CallRecord,
  message: Message,
  piece: Buffer,
): boolean {
  return (
    level === message.level &&
    target === message.target &&
    requested === piece.length &&
    written <= requested &&
    shown === preview(piece.subarray(0, PREVIEW_BYTES), piece.length <= PREVIEW_BYTES)
  );
}

/** Makes the result that the answer to a message should have, from its records. */
function resultFrom(kind: Kind, requestId: string, { level, target }: Message, tally: Tally): object {
  const { requested, written, error, errors, calls, firstSeq, seq, durationNs } = tally;
  const whole = { requestId, level, target, requested, written };
  if (kind !== 'bursts') return { ...whole, error, calls, seq, durationNs };
  return { ...whole, errors, count: calls, firstSeq, lastSeq: seq, mean: Math.round(durationNs / calls) };
}

type Result = Record<string, unknown>;

/** Returns an answer's result for each message, without the fields that records cannot confirm. */
const resultsOf: Record<Kind, (answer: unknown) => Result[]> = {
  write: (answer) => [answer as WriteResult],
  writes: (answer) => (answer as WritesResult).results,
  bursts(answer) {
    const { durationNs, histogram: _, callsPerSecond: __, ...result } = answer as BurstResult;
    return [{ ...result, mean: durationNs.mean }];
  },
};

/** Returns the number of the last record in an answer, 0 if it has none. */
function lastOf({ kind, answer }: Entry): number {
  return Math.max(0, ...resultsOf[kind](answer).map(({ seq, lastSeq }) => Number(seq ?? lastSeq ?? 0)));
}
