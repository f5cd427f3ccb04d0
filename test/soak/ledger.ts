// The accounting. The records of --record are the truth; what clients sent and were answered, what subscribers were
// streamed and what arrived at the targets is held against them, record by record, while they are written.
import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import type { BurstResult, WriteResult, WritesResult } from '../../src/protocol/calls.js';
import { PREVIEW_BYTES, preview } from '../../src/protocol/preview.js';
import type { CallRecord } from '../../src/protocol/records.js';
import { type Account, createAccounts } from './accounts.js';
import type { Checks } from './checks.js';
import { createColumn } from './column.js';
import { bytesOf, type Message } from './messages.js';
import { createPrint, type Print } from './print.js';

export type Kind = 'write' | 'writes' | 'bursts';

/** What the records say came of one message. */
type Tally = {
  requested: number;
  calls: number;
  written: number;
  firstSeq: number;
  seq: number;
  error: CallRecord['error'];
  errors: Record<string, number>;
  durationNs: number;
};

/** A request, and how far the records have come with it. */
type Entry = {
  kind: Kind;
  messages: readonly Message[];
  tallies: Tally[];
  /** The message that the last record was of, and its bytes. */
  at: number;
  bytes: Buffer;
  answer?: unknown;
};

export type Ledger = {
  /** A request is about to be sent. */
  expect: (id: string, kind: Kind, messages: readonly Message[]) => void;
  /** It was answered with 200, which is held against its records once they are read. */
  answered: (id: string, answer: unknown) => void;
  /** It was answered with another status: it has no records, and must never have one. */
  refused: (id: string) => void;
  /** Its client has gone before an answer: its calls end. */
  gone: (id: string) => void;
  /** The service said on a new connection that `seq` is next: it has seen who went before. @param asked by performance.now() */
  known: (seq: number, asked: number) => void;
  /** Somebody saw a record: everybody sees the same. */
  saw: (seq: number, line: string) => void;
  subscribed: (account: Account) => void;
  /** The first `seq` that was not read yet. */
  next: () => number;
  /** Reads on in the file of records, as far as it goes. */
  read: () => Promise<void>;
  /** What the records say arrived at a target that can be read. */
  told: ReadonlyMap<string, Print>;
  /** How often each error was recorded, by target and code. */
  errors: ReadonlyMap<string, number>;
  /** All is over: whatever is still open is settled. */
  close: () => void;
};

export type LedgerOptions = {
  checks: Checks;
  file: string;
  pid: number;
  /** Targets whose bytes are accounted for. */
  readable: readonly string[];
  /** Every target, and the errno that it always gives; null for the others. */
  targets: readonly { name: string; expects: string | null }[];
};

const CHUNK = 1 << 18;
/** How long the service may take to act on it that a client has gone, besides: see `known`. */
const GRACE_MS = 2000;
const NONE = Buffer.alloc(0);

const fresh = (): Tally => ({
  requested: 0,
  calls: 0,
  written: 0,
  firstSeq: 0,
  seq: 0,
  error: null,
  errors: {},
  durationNs: 0,
});

export function createLedger({ checks: { check }, file, pid, readable, targets }: LedgerOptions): Ledger {
  const fd = openSync(file, 'r');
  const entries = new Map<string, Entry>();
  const toSettle = new Map<string, Entry>();
  const told = new Map(readable.map((name) => [name, createPrint()]));
  const expects = new Map(targets.map(({ name, expects }) => [name, expects]));
  const errors = new Map<string, number>();
  const fds = new Map<string, number>();
  /** Per record, of its line. */
  const checksums = createColumn(Uint32Array);
  const accounts = createAccounts(targets.map(({ name }) => name));
  const open: Account[] = [];
  /** Per target: whose turn it is among the messages that wait. */
  const turns = new Map<string, Tally>();
  /** Requests whose client has gone: when, and then the record at which the service must have known. */
  const leaving = new Map<string, number>();
  const left = new Map<string, number>();
  let next = 1;
  let rest = NONE;

  function saw(seq: number, line: string): void {
    const checksum = crc32(line) || 1;
    const known = checksums.at(seq);
    if (known === 0) checksums.set(seq, checksum);
    else check('a record reads the same wherever it is read', known === checksum, () => line);
  }

  /** Which message of its request a record is of, and what of it the call was asked to write; null when it is of none. */
  function place(entry: Entry, record: CallRecord): { tally: Tally; piece: Buffer; waits: boolean } | null {
    for (; entry.at < entry.messages.length; entry.at++, entry.bytes = NONE) {
      const message = entry.messages[entry.at] as Message;
      const tally = entry.tallies[entry.at] as Tally;
      if (entry.bytes === NONE) entry.bytes = bytesOf(message);
      const piece = entry.bytes.subarray(entry.kind === 'bursts' ? 0 : tally.written);
      const isOver =
        entry.kind !== 'bursts' && tally.calls > 0 && (message.timeoutMs === 0 || tally.written === tally.requested);
      if (!isOver && fits(record, message, piece))
        return { tally, piece, waits: entry.kind !== 'bursts' && message.timeoutMs > 0 };
      // Only who waits may come to its end without a call, or with bytes left.
      if (!isOver && message.timeoutMs === 0) return null;
    }
    return null;
  }

  function book(record: CallRecord, line: string): void {
    const { seq, target, requested, written, error } = record;
    check(
      'records are numbered 1, 2, 3 … without a hole, and the file of records has no gap',
      seq === next,
      () => line,
    );
    next = seq + 1;
    saw(seq, line);
    accounts.made(record);
    if (error) errors.set(`${target} ${error.code}`, (errors.get(`${target} ${error.code}`) ?? 0) + 1);
    const isSame = record.pid === pid && (fds.get(target) ?? record.fd) === record.fd;
    check('a record names the process, and for each target one descriptor', isSame, () => line);
    fds.set(target, record.fd);
    const always = expects.get(target);
    if (always && requested > 0)
      check('a fault target gives its errno, each time', error?.code === always && written === 0, () => line);
    check('no call is made for a client that has gone', seq < (left.get(record.requestId) ?? Infinity), () => line);
    const entry = entries.get(record.requestId);
    const placed = entry ? place(entry, record) : null;
    check('each record is of a request that was sent, in its order, with its bytes', placed !== null, () => {
      const due = entry?.messages[entry.at];
      return `due was ${JSON.stringify(due)}: ${line}`;
    });
    if (!placed) return;
    const { tally, piece, waits } = placed;
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
    told.get(target)?.add(piece.subarray(0, written));
  }

  function settle(id: string, { kind, messages, tallies, answer }: Entry): void {
    const made = tallies.map((tally, index) => madeOf(kind, id, messages[index] as Message, tally));
    const said = saidOf[kind](answer);
    const isSo = (result: Said, index: number): boolean =>
      'status' in result ? tallies[index]?.calls === 0 : isDeepStrictEqual(result, made[index]);
    const wrong = said.length === made.length ? said.findIndex((result, index) => !isSo(result, index)) : 0;
    check(`an answer of /${kind} is the sum of its records`, wrong < 0, () =>
      JSON.stringify({ index: wrong, said: said[wrong], made: made[wrong], message: messages[wrong] }),
    );
  }

  function settleAll(): void {
    for (const [id, entry] of toSettle) {
      if (lastOf(entry) >= next) continue;
      settle(id, entry);
      toSettle.delete(id);
      // From here on another record of it is one of nobody's.
      entries.delete(id);
    }
  }

  return {
    told,
    errors,
    saw,
    next: () => next,
    expect(id, kind, messages) {
      entries.set(id, { kind, messages, tallies: messages.map(fresh), at: 0, bytes: NONE });
    },
    answered(id, answer) {
      const entry = entries.get(id) as Entry;
      entry.answer = answer;
      toSettle.set(id, entry);
    },
    refused(id) {
      const calls = entries.get(id)?.tallies.filter((tally) => tally.calls > 0).length;
      check('what is refused makes no call', calls === 0, () => id);
      entries.delete(id);
    },
    gone(id) {
      leaving.set(id, performance.now());
    },
    known(seq, asked) {
      for (const [id, gone] of leaving) {
        if (gone + GRACE_MS > asked) break;
        left.set(id, seq);
        leaving.delete(id);
      }
    },
    subscribed: (account) => open.push(account),
    async read() {
      for (;;) {
        const chunk = Buffer.allocUnsafe(CHUNK);
        const length = readSync(fd, chunk);
        if (length === 0) break;
        rest = Buffer.concat([rest, chunk.subarray(0, length)]);
        const end = rest.lastIndexOf(10);
        for (const line of end < 0 ? [] : rest.toString('utf8', 0, end).split('\n')) book(JSON.parse(line), line);
        rest = rest.subarray(end + 1);
        settleAll();
        await setImmediate();
      }
      for (const [id, seq] of left) if (seq <= next) entries.delete(id);
      for (const account of open.splice(0)) {
        if (account.next > next) open.push(account);
        else {
          const wrong = accounts.audit(account);
          check('streamed + gaps = made, for each subscriber', wrong === null, () => wrong ?? '');
        }
      }
    },
    close() {
      closeSync(fd);
      check('every answer, and every subscriber, has its records', toSettle.size + open.length === 0, () =>
        JSON.stringify([[...toSettle.keys()].slice(0, 5), open.slice(0, 5)]),
      );
      check('the file of records ends with a whole line', rest.length === 0);
    },
  };
}

function fits({ level, target, requested, written, preview: shown }: CallRecord, of: Message, piece: Buffer): boolean {
  return (
    level === of.level &&
    target === of.target &&
    requested === piece.length &&
    written <= requested &&
    shown === preview(piece.subarray(0, PREVIEW_BYTES), piece.length <= PREVIEW_BYTES)
  );
}

/** What the answer to a message should say, from its records. */
function madeOf(kind: Kind, requestId: string, { level, target }: Message, tally: Tally): object {
  const { requested, written, error, errors, calls, firstSeq, seq, durationNs } = tally;
  const whole = { requestId, level, target, requested, written };
  if (kind !== 'bursts') return { ...whole, error, calls, seq, durationNs };
  return { ...whole, errors, count: calls, firstSeq, lastSeq: seq, mean: Math.round(durationNs / calls) };
}

type Said = Record<string, unknown>;

/** What an answer says of each message, as far as records can bear it out. */
const saidOf: Record<Kind, (answer: unknown) => Said[]> = {
  write: (answer) => [answer as WriteResult],
  writes: (answer) => (answer as WritesResult).results,
  bursts(answer) {
    const { durationNs, histogram: _, callsPerSecond: __, ...said } = answer as BurstResult;
    return [{ ...said, mean: durationNs.mean }];
  },
};

/** The last record that an answer tells of. */
function lastOf({ kind, answer }: Entry): number {
  return Math.max(0, ...saidOf[kind](answer).map(({ seq, lastSeq }) => Number(seq ?? lastSeq ?? 0)));
}
