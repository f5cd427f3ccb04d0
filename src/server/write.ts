// A checked request → calls → a result. Knows no transport.
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { LEVEL_IDS, type Level, type LevelId } from '../syscalls/contract.js';
import { negated, osError } from '../syscalls/errno.js';
import type { Target } from '../syscalls/target.js';
import { waitForRoom } from '../syscalls/wait.js';
import type { Journal } from './journal.js';
import { type Refusal, refusal } from './problem.js';
import type { WriteRequest, WriteResult } from './schema.js';

/** No room, and a signal in between: what a wait goes on after. */
const NO_ROOM = negated('EAGAIN');
const INTERRUPTED = negated('EINTR');

export type WhenGone = (stop: () => void) => void;

export type Writer = {
  /**
   * Makes the calls of one request.
   *
   * @param whenGone asked only of a request that may wait: takes what ends the wait, to be called
   *   when nobody is there for the answer any more
   * @throws a refusal (problem.ts) when no call was made
   */
  write: (request: WriteRequest, requestId: string, whenGone: WhenGone) => WriteResult | Promise<WriteResult>;
  /** Ends every wait; the writes answer with as far as they came. */
  stopWaiting: () => void;
  /** Resolves once no write waits any more. */
  settled: () => Promise<unknown>;
  /** Refuses every write from now on, and resolves once none waits: only then may targets be closed. */
  end: () => Promise<unknown>;
};

export type WriterOptions = {
  levels: Record<LevelId, Level>;
  targets: readonly Target[];
  journal: Journal;
  /** How many requests may wait for one target. */
  maxWaiting: number;
};

/** What one request has come to so far. */
type Job = {
  requestId: string;
  level: number;
  write: Level['write'];
  target: number;
  fd: number;
  bytes: Uint8Array;
  written: number;
  result: number;
  calls: number;
  seq: number;
  durationNs: number;
};

/** The bytes that a request asks to write; what is not base64 is refused. */
function bytesOf({ msg, encoding }: WriteRequest): Buffer {
  if (encoding === 'utf8') return Buffer.from(msg);
  const bytes = Buffer.from(msg, 'base64');
  // Buffer skips what is not base64. Whatever comes back the same was nothing but base64.
  if (bytes.toString('base64') === msg) return bytes;
  const detail = 'is not base64 (RFC 4648, section 4): use the standard alphabet, with padding and without line breaks';
  throw refusal(400, `msg ${detail}`, [{ pointer: '#/msg', detail }]);
}

export function createWriter({ levels, targets, journal, maxWaiting }: WriterOptions): Writer {
  const targetIndex = new Map(targets.map(({ name }, index) => [name, index]));
  /** Per target: how many requests wait, and what the last of them resolves when it is done. */
  const turns = targets.map(() => ({ waiting: 0, last: Promise.resolve() }));
  const waits = new Set<AbortController>();
  const running = new Set<Promise<WriteResult>>();
  let epoch = performance.timeOrigin;
  let ended = false;

  function prepare(request: WriteRequest, requestId: string): Job {
    if (ended) throw tooLate('the service has stopped');
    const level = levels[request.level];
    const target = targetIndex.get(request.target);
    if (target === undefined) {
      const detail = `there is no target '${request.target}': GET /targets lists them, --target name=path adds one`;
      throw refusal(404, detail, [{ pointer: '#/target', detail }]);
    }
    const { fd, reason } = targets[target] as Target;
    if (reason !== null) {
      const detail = `target '${request.target}' is not available here: ${reason}`;
      throw refusal(501, detail, [{ pointer: '#/target', detail }]);
    }
    if (!level.available) {
      const detail = `level '${request.level}' is not available here: ${level.reason}`;
      throw refusal(501, detail, [{ pointer: '#/level', detail }]);
    }
    return {
      requestId,
      level: LEVEL_IDS.indexOf(request.level),
      write: level.write,
      target,
      fd,
      bytes: bytesOf(request),
      written: 0,
      result: 0,
      calls: 0,
      seq: 0,
      durationNs: 0,
    };
  }

  /** One call, and its record. */
  function call(job: Job, bytes: Uint8Array): void {
    const before = performance.now();
    const wall = Date.now();
    // performance.now() does not follow when the wall clock is set, nor count a suspended laptop's sleep.
    if (Math.abs(wall - epoch - before) > 2) epoch = wall - before;
    const result = job.write(job.fd, bytes);
    const durationNs = Math.round((performance.now() - before) * 1e6);
    job.seq = journal.append(epoch + before, job.requestId, job.level, job.target, bytes, result, durationNs);
    job.result = result;
    job.calls += 1;
    job.durationNs += durationNs;
    if (result > 0) job.written += result;
  }

  function resultOf(job: Job): WriteResult {
    return {
      requestId: job.requestId,
      level: LEVEL_IDS[job.level] as LevelId,
      target: (targets[job.target] as Target).name,
      requested: job.bytes.length,
      written: job.written,
      error: osError(job.result),
      calls: job.calls,
      seq: job.seq,
      durationNs: job.durationNs,
    };
  }

  async function untilWritten(job: Job, deadline: number, signal: AbortSignal): Promise<void> {
    for (let ready = false; ; ) {
      call(job, job.bytes.subarray(job.written));
      if (job.written === job.bytes.length) return;
      if (job.result < 0 && job.result !== NO_ROOM && job.result !== INTERRUPTED) return;
      if (performance.now() >= deadline || signal.aborted) return;
      // After a partial write the next call says at once whether there is more room, so that time is
      // only ever up after a real EAGAIN. In between, others have their turn of the event loop.
      if (job.result !== NO_ROOM) {
        await (job.result > 0 ? setImmediate() : sleep(1));
        if (signal.aborted) return;
        continue;
      }
      // Ready, and yet no room: somebody else was quicker, or the pipe has less than one page left.
      if (ready) await sleep(10, undefined, { signal }).catch(() => {});
      ready = await waitForRoom(job.fd, deadline, signal);
      if (!ready) return;
    }
  }

  /** First come, first served: the bytes of requests that wait for one target never mix. */
  async function inTurn(job: Job, timeoutMs: number, whenGone: WhenGone): Promise<WriteResult> {
    const deadline = performance.now() + timeoutMs;
    const turn = turns[job.target] as (typeof turns)[number];
    if (turn.waiting >= maxWaiting)
      throw refusal(503, `${maxWaiting} writes already wait for this target: try again later`, undefined, {
        'retry-after': '1',
      });
    const wait = new AbortController();
    waits.add(wait);
    whenGone(() => wait.abort());
    const ahead = turn.waiting === 0 ? null : turn.last;
    let done = (): void => {};
    const mine = new Promise<void>((resolve) => {
      done = resolve;
    });
    turn.last = mine;
    turn.waiting += 1;
    try {
      const inTime = ahead === null || (await before(ahead, timeoutMs, wait.signal));
      if (wait.signal.aborted) throw tooLate('the service is stopping');
      if (!inTime) throw tooLate('the writes ahead of this one took longer than its timeoutMs');
      await untilWritten(job, deadline, wait.signal);
      return resultOf(job);
    } finally {
      turn.waiting -= 1;
      waits.delete(wait);
      // Who gave up early still keeps those behind it waiting for those ahead of it.
      if (ahead) ahead.then(done);
      else done();
    }
  }

  const settled = (): Promise<unknown> => Promise.allSettled(running);

  return {
    write(request, requestId, whenGone) {
      const job = prepare(request, requestId);
      if (request.timeoutMs > 0) {
        const result = inTurn(job, request.timeoutMs, whenGone);
        running.add(result);
        const forget = (): boolean => running.delete(result);
        result.then(forget, forget);
        return result;
      }
      call(job, job.bytes);
      return resultOf(job);
    },
    stopWaiting() {
      for (const wait of waits) wait.abort();
    },
    settled,
    end() {
      ended = true;
      return settled();
    },
  };
}

const tooLate = (why: string): Refusal => refusal(503, `${why}: no call was made`, undefined, { 'retry-after': '1' });

/** Whether `promise` resolves within `ms`, and before `signal` aborts. */
function before(promise: Promise<void>, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (inTime: boolean): void => {
      clearTimeout(timer);
      resolve(inTime);
    };
    const timer = setTimeout(finish, ms, false);
    signal.addEventListener('abort', () => finish(false), { once: true });
    promise.then(() => finish(true));
  });
}
