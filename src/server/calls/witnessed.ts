// Calls under a witness, and the sums of what it saw.
import { AGREES, type SystemCall, type WitnessReport } from '../../protocol/system-call.js';
import { isAddress } from '../../protocol/system-call-text.js';
import { MAX_LISTED, type SystemCallKind } from '../../protocol/witness.js';
import type { Write } from '../../syscalls/contract.js';
import { witnessAvailability, witnessWrite } from '../../syscalls/index.js';
import { withoutList } from '../records/reports.js';
import type { Job } from './call.js';
import { wallTimeOf } from './wall-time.js';

/**
 * A call that was made: its result, its start and end on performance.now()'s clock, the wall clock's time at its start, and
 * what a witness saw of it.
 */
export type TimedWrite = { result: number; start: number; time: number; end: number; report: WitnessReport };

let reason: string | null | undefined;

/**
 * Returns why there is no witness; null if there is one. A try takes 15 µs, so its answer holds until the event loop
 * goes on.
 */
export function whyNoWitness(): string | null {
  if (reason === undefined) {
    reason = witnessAvailability().reason;
    setImmediate(() => {
      reason = undefined;
    });
  }
  return reason;
}

/**
 * Makes a call under a witness. If the witness is gone since the request began, because this process handles SIGSYS now,
 * the call is made without, and the report says so.
 */
export function writeWitnessed({ level: id, fd, write }: Job, bytes: Uint8Array): TimedWrite {
  let start = 0;
  let time = 0;
  let end = 0;
  // Inside the window, because arming the witness and reading its list take five times as long as the call.
  const timed: Write = (...call) => {
    start = performance.now();
    time = wallTimeOf(start);
    const result = write(...call);
    end = performance.now();
    return result;
  };
  try {
    const { result, report } = witnessWrite({ id, write: timed }, fd, bytes);
    return { result, start, time, end, report };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_NO_WITNESS') throw error;
    const report = { systemCalls: [], complete: false, dropped: 0, verdict: message };
    return { result: timed(fd, bytes), start, time, end, report };
  }
}

/** Adds the report of a later call of the same write to that of the earlier ones. */
export function joined(earlier: WitnessReport | null, report: WitnessReport | null): WitnessReport | null {
  if (earlier === null || report === null) return report;
  const isFull = earlier.systemCalls.length + report.systemCalls.length > MAX_LISTED.write;
  const { systemCalls, dropped } = isFull ? withoutList(report) : report;
  return {
    systemCalls: [...earlier.systemCalls, ...systemCalls],
    complete: earlier.complete && report.complete,
    dropped: earlier.dropped + dropped,
    verdict: earlier.verdict === AGREES ? report.verdict : earlier.verdict,
  };
}

type BurstFields = {
  systemCalls: SystemCallKind[];
  complete: boolean;
  dropped: number;
  disagreed: number;
  verdict: string;
};

/** Sums the reports of a burst's calls. */
export type Sum = { add: (report: WitnessReport) => void; fields: () => BurstFields };

/** Returns a call's result as a part of its kind. Each call returns another address, or another place in a file. */
function resultOf({ name, result }: SystemCall): number | string | null {
  if (result === null || result < 0) return result;
  if (name === 'lseek' || name === 'brk') return 'place';
  return isAddress(result) ? 'address' : result;
}

export function createSum(): Sum {
  const kinds = new Map<string, SystemCallKind>();
  let [complete, dropped, disagreed, verdict] = [true, 0, 0, AGREES];
  return {
    add(report) {
      complete &&= report.complete;
      dropped += report.dropped;
      if (report.verdict !== AGREES) {
        disagreed += 1;
        if (verdict === AGREES) verdict = report.verdict;
      }
      for (const call of report.systemCalls) {
        const { abi, number, name, result, error, origin } = call;
        // libuv's wake-ups come from the place of level `os` and `std`, and may have the result of their writes.
        const key = `${abi} ${number} ${origin.address} ${origin.isLevel} ${resultOf(call)}`;
        const kind = kinds.get(key);
        if (kind) kind.times += 1;
        else if (kinds.size < MAX_LISTED.kinds) kinds.set(key, { abi, number, name, result, error, origin, times: 1 });
        else dropped += 1;
      }
    },
    fields: () => ({
      systemCalls: [...kinds.values()].sort((a, b) => b.times - a.times),
      complete,
      dropped,
      disagreed,
      verdict,
    }),
  };
}
