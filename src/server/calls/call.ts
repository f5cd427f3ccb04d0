// One call: turns a checked request into a job, makes the call, and keeps its record.
import type { WriteRequest } from '../../protocol/calls.js';
import { LEVEL_IDS, type LevelId } from '../../protocol/names.js';
import type { WitnessReport } from '../../protocol/system-call.js';
import type { Level, Write } from '../../syscalls/contract.js';
import type { Target } from '../../syscalls/targets/target.js';
import type { Counters } from '../metrics/counters.js';
import type { Journal, MadeCall } from '../records/journal.js';
import { type Refusal, type RefusalKind, refusal, tooLate } from '../refusal.js';
import { endsMidLine, isOn, type Screen } from './screen.js';
import { type Targets, unknownTarget } from './targets.js';
import { wallTimeOf } from './wall-time.js';
import { whyNoWitness, writeWitnessed } from './witnessed.js';

/** A request that can be carried out, with everything that its calls need. */
export type Job = Readonly<{
  requestId: string;
  level: LevelId;
  /** The level's index in LEVEL_IDS. */
  levelIndex: number;
  /** The target's index in the list of targets. */
  targetIndex: number;
  target: string;
  write: Write;
  isWitnessed: boolean;
  fd: number;
  bytes: Uint8Array;
  /** The terminal of the log, if the target is that terminal too. */
  screen: Screen | null;
}>;

export type Calls = {
  /**
   * Prepares a job for a request.
   *
   * @param pointer the place of the request in the body, as a JSON Pointer
   * @throws a refusal of an unknown target, an unavailable level, target or witness, or a `msg` that is not base64
   */
  prepare: (
    request: Pick<WriteRequest, 'level' | 'target' | 'msg' | 'encoding' | 'witness'>,
    requestId: string,
    pointer?: string,
  ) => Job;
  /** Makes one call and keeps its record. @param bytes the job's bytes, or the rest of them */
  make: (job: Job, bytes: Uint8Array) => MadeCall;
  /** Refuses every job from now on. Targets may be closed only after this. */
  end: () => void;
};

export type CallsOptions = {
  levels: Record<LevelId, Level>;
  targets: Targets;
  journal: Journal;
  counters: Counters;
  screen: Screen | undefined;
  /** True to make every call under a witness. */
  witnessAll: boolean;
};

/** Returns the bytes of a message; null when `encoding` is base64 and the message is not. */
function decode(msg: string, encoding: WriteRequest['encoding']): Buffer | null {
  const bytes = Buffer.from(msg, encoding);
  // Buffer skips characters that are not base64. If encoding the bytes again gives the same text, it skipped none.
  return encoding === 'base64' && bytes.toString('base64') !== msg ? null : bytes;
}

export function createCalls({ levels, targets, journal, counters, screen, witnessAll }: CallsOptions): Calls {
  let hasEnded = false;
  const screens = targets.all.map((target) => (screen && isOn(screen, target) ? screen : null));

  return {
    prepare({ level: id, target: name, msg, encoding, witness }, requestId, pointer = '#') {
      if (hasEnded) throw tooLate('the service has stopped');
      const refused = (kind: RefusalKind, field: string, detail: string): Refusal =>
        refusal(kind, detail, { errors: [{ pointer: `${pointer}/${field}`, detail }] });

      const targetIndex = targets.indexOf(name);
      if (targetIndex === undefined) throw unknownTarget(targets, name, `${pointer}/target`);
      const { fd, reason } = targets.all[targetIndex] as Target;
      if (reason !== null) throw refused('unavailable', 'target', `target '${name}' is not available here: ${reason}`);
      const level = levels[id];
      if (!level.available)
        throw refused('unavailable', 'level', `level '${id}' is not available here: ${level.reason}`);
      const isWitnessed = witness || witnessAll;
      const noWitness = isWitnessed ? whyNoWitness() : null;
      if (noWitness !== null)
        throw refused('unavailable', 'witness', `the witness is not available here: ${noWitness}`);
      const bytes = decode(msg, encoding);
      if (bytes === null)
        throw refused(
          'malformed',
          'msg',
          'msg is not base64 (RFC 4648, section 4): use the standard alphabet, with padding and without line breaks',
        );
      return {
        requestId,
        level: id,
        levelIndex: LEVEL_IDS.indexOf(id),
        targetIndex,
        target: name,
        write: level.write,
        isWitnessed,
        fd,
        bytes,
        screen: screens[targetIndex] as Screen | null,
      };
    },

    make(job, bytes) {
      let start = performance.now();
      let time = wallTimeOf(start);
      let result: number;
      let end: number;
      let report: WitnessReport | null = null;
      if (job.isWitnessed) ({ result, start, time, end, report } = writeWitnessed(job, bytes));
      else {
        result = job.write(job.fd, bytes);
        end = performance.now();
      }
      if (job.screen !== null && result > 0) job.screen.isMidLine = endsMidLine(bytes, result);
      const call: MadeCall = {
        seq: journal.next(),
        time,
        requestId: job.requestId,
        level: job.levelIndex,
        target: job.targetIndex,
        bytes,
        result,
        durationNs: Math.round((end - start) * 1e6),
        report,
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
