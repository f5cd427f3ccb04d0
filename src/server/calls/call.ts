// A checked request → what its calls need, and one call with its record. Knows no transport.

import type { WriteRequest } from '../../protocol/calls.js';
import { LEVEL_IDS, type LevelId } from '../../protocol/names.js';
import type { Level } from '../../syscalls/contract.js';
import type { Target } from '../../syscalls/targets/target.js';
import { busy, type Refusal, refusal } from '../answers/problem.js';
import type { Counts } from '../metrics/counters.js';
import type { Journal } from '../records/journal.js';

/** What one request has come to so far. */
export type Job = {
  requestId: string;
  /** Indices into the tables of levels and targets. */
  level: number;
  target: number;
  targetName: string;
  write: Level['write'];
  fd: number;
  bytes: Uint8Array;
  /** What the last call returned, how long it took, and when it was over, on performance.now()'s clock. */
  result: number;
  callNs: number;
  end: number;
  /** Of all calls. */
  calls: number;
  written: number;
  durationNs: number;
  /** The last call's record. */
  seq: number;
};

export type Caller = {
  /**
   * Looks up what a request names.
   *
   * @param pointer where the request stands in the body, as a JSON Pointer
   * @throws a refusal (problem.ts)
   */
  prepare: (
    request: Pick<WriteRequest, 'level' | 'target' | 'msg' | 'encoding'>,
    requestId: string,
    pointer?: string,
  ) => Job;
  /** One call, and its record. */
  call: (job: Job, bytes: Uint8Array) => void;
  /** Prepares nothing from now on: only then may targets be closed. */
  end: () => void;
};

export type CallerOptions = {
  levels: Record<LevelId, Level>;
  targets: readonly Target[];
  journal: Journal;
  counts: Counts;
};

export function createCaller({ levels, targets, journal, counts }: CallerOptions): Caller {
  const targetIndex = new Map(targets.map(({ name }, index) => [name, index]));
  let epoch = performance.timeOrigin;
  let ended = false;

  return {
    prepare({ level: id, target: name, msg, encoding }, requestId, pointer = '#') {
      if (ended) throw tooLate('the service has stopped');
      const refuse = (status: number, field: string, detail: string, whole = detail): never => {
        throw refusal(status, whole, [{ pointer: `${pointer}/${field}`, detail }]);
      };
      const level = levels[id];
      const target = targetIndex.get(name);
      if (target === undefined)
        return refuse(
          404,
          'target',
          `there is no target '${name}': GET /targets lists them, --target name=path adds one`,
        );
      const { fd, reason } = targets[target] as Target;
      if (reason !== null) return refuse(501, 'target', `target '${name}' is not available here: ${reason}`);
      if (!level.available) return refuse(501, 'level', `level '${id}' is not available here: ${level.reason}`);
      const bytes = Buffer.from(msg, encoding);
      // Buffer skips what is not base64. Whatever comes back the same was nothing but base64.
      if (encoding === 'base64' && bytes.toString('base64') !== msg) {
        const detail =
          'is not base64 (RFC 4648, section 4): use the standard alphabet, with padding and without line breaks';
        return refuse(400, 'msg', detail, `msg ${detail}`);
      }
      return {
        requestId,
        level: LEVEL_IDS.indexOf(id),
        target,
        targetName: name,
        write: level.write,
        fd,
        bytes,
        result: 0,
        callNs: 0,
        end: 0,
        calls: 0,
        written: 0,
        durationNs: 0,
        seq: 0,
      };
    },

    call(job, bytes) {
      const before = performance.now();
      const wall = Date.now();
      // performance.now() does not follow when the wall clock is set, nor count a suspended laptop's sleep.
      if (Math.abs(wall - epoch - before) > 2) epoch = wall - before;
      const result = job.write(job.fd, bytes);
      job.end = performance.now();
      job.callNs = Math.round((job.end - before) * 1e6);
      counts.call(job.level, job.target, result, job.callNs);
      job.seq = journal.append(epoch + before, job.requestId, job.level, job.target, bytes, result, job.callNs);
      job.result = result;
      job.calls += 1;
      job.durationNs += job.callNs;
      if (result > 0) job.written += result;
    },

    end() {
      ended = true;
    },
  };
}

/** What the answer says of any job. */
export const told = ({ requestId, level, targetName, bytes, written }: Job) => ({
  requestId,
  level: LEVEL_IDS[level] as LevelId,
  target: targetName,
  requested: bytes.length,
  written,
});

/** A refusal of what would have been done, had it come earlier. */
export const tooLate = (why: string): Refusal => busy(`${why}: no call was made`);
