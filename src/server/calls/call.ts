// One call: from a checked request to the bytes that a level is given, and from its result to the record.
import type { WriteRequest } from '../../protocol/calls.js';
import { LEVEL_IDS, type LevelId } from '../../protocol/names.js';
import type { Level, Write } from '../../syscalls/contract.js';
import type { Target } from '../../syscalls/targets/target.js';
import type { Counters } from '../metrics/counters.js';
import type { Journal, MadeCall } from '../records/journal.js';
import { type Refusal, type RefusalKind, refusal, tooLate } from '../refusal.js';
import { wallTimeOf } from './clock.js';
import type { Targets } from './targets.js';

/** A request that can be carried out: all that its calls need. */
export type Job = Readonly<{
  requestId: string;
  level: LevelId;
  /** Their indices in the tables of levels and of targets. */
  levelIndex: number;
  targetIndex: number;
  target: string;
  write: Write;
  fd: number;
  bytes: Uint8Array;
}>;

export type Calls = {
  /**
   * Makes a job of a request.
   *
   * @param pointer where the request stands in the body, as a JSON Pointer
   * @throws a refusal: an unknown target, a level or target that is unavailable, bad base64
   */
  prepare: (
    request: Pick<WriteRequest, 'level' | 'target' | 'msg' | 'encoding'>,
    requestId: string,
    pointer?: string,
  ) => Job;
  /** Makes one call, and keeps its record. `bytes` are the job's, or the rest of them. */
  make: (job: Job, bytes: Uint8Array) => MadeCall;
  /** Prepares no job from now on: only then may targets be closed. */
  end: () => void;
};

export type CallsOptions = {
  levels: Record<LevelId, Level>;
  targets: Targets;
  journal: Journal;
  counters: Counters;
};

/** The bytes of a message; null when it is not the base64 that it claims to be. */
function decode(msg: string, encoding: WriteRequest['encoding']): Buffer | null {
  const bytes = Buffer.from(msg, encoding);
  // Buffer skips characters that are not base64. A text that comes back the same had none.
  return encoding === 'base64' && bytes.toString('base64') !== msg ? null : bytes;
}

export function createCalls({ levels, targets, journal, counters }: CallsOptions): Calls {
  let hasEnded = false;

  return {
    prepare({ level: id, target: name, msg, encoding }, requestId, pointer = '#') {
      if (hasEnded) throw tooLate('the service has stopped');
      const refused = (kind: RefusalKind, field: string, detail: string, whole = detail): Refusal =>
        refusal(kind, whole, { errors: [{ pointer: `${pointer}/${field}`, detail }] });

      const targetIndex = targets.indexOf(name);
      if (targetIndex === undefined)
        throw refused(
          'unknown-target',
          'target',
          `there is no target '${name}': GET /targets lists them, --target name=path adds one`,
        );
      const { fd, reason } = targets.all[targetIndex] as Target;
      if (reason !== null) throw refused('unavailable', 'target', `target '${name}' is not available here: ${reason}`);
      const level = levels[id];
      if (!level.available)
        throw refused('unavailable', 'level', `level '${id}' is not available here: ${level.reason}`);
      const bytes = decode(msg, encoding);
      if (bytes === null) {
        const detail =
          'is not base64 (RFC 4648, section 4): use the standard alphabet, with padding and without line breaks';
        throw refused('malformed', 'msg', detail, `msg ${detail}`);
      }
      return {
        requestId,
        level: id,
        levelIndex: LEVEL_IDS.indexOf(id),
        targetIndex,
        target: name,
        write: level.write,
        fd,
        bytes,
      };
    },

    make(job, bytes) {
      const start = performance.now();
      const time = wallTimeOf(start);
      const result = job.write(job.fd, bytes);
      const end = performance.now();
      const call: MadeCall = {
        seq: journal.next(),
        time,
        requestId: job.requestId,
        level: job.levelIndex,
        target: job.targetIndex,
        bytes,
        result,
        durationNs: Math.round((end - start) * 1e6),
        end,
      };
      counters.call(call);
      journal.append(call);
      return call;
    },

    end() {
      hasEnded = true;
    },
  };
}
