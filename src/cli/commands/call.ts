// syswire call LEVEL MSG: makes one call in this process, without a service. It writes nothing else to stdout, so that
// `strace syswire call raw hello` shows exactly one write there.
import path from 'node:path';
import { unknown } from '../../protocol/choices.js';
import { PREVIEW_BYTES } from '../../protocol/limits.js';
import { preview } from '../../protocol/preview.js';
import type { CallRecord } from '../../protocol/records.js';
import { AGREES } from '../../protocol/system-call.js';
import { describeWitnessed } from '../../protocol/system-call-text.js';
import { levels, outcomeOf, witnessAvailability, witnessWrite } from '../../syscalls/index.js';
import { BUILT_IN_NAMES, openBuiltIn } from '../../syscalls/targets/built-in.js';
import { FAULT_NAMES } from '../../syscalls/targets/faults.js';
import { openTarget, type Target } from '../../syscalls/targets/target.js';
import { command, EXITS, UsageError } from '../command.js';
import { hintAt, LEVEL_AND_MESSAGE, levelAndMessage, readMessage } from '../flags.js';

type Opened = Pick<Target, 'name' | 'fd' | 'close'>;

/** stdout and stderr, not made non-blocking: a write that blocks holds up nobody but the user of this command. */
const STANDARD: Readonly<Record<string, Opened>> = {
  stdout: { name: 'stdout', fd: 1, close: () => {} },
  stderr: { name: 'stderr', fd: 2, close: () => {} },
};

/** @param target a name, or a path: this has a slash, on Windows perhaps a backslash */
function open(target: string): Opened {
  const standard = STANDARD[target];
  if (standard) return standard;
  let opened: Target | null;
  try {
    opened = target.includes('/') || target.includes(path.sep) ? openTarget(target, target) : openBuiltIn(target);
  } catch (error) {
    throw new UsageError(`--target ${target}: ${(error as Error).message}`);
  }
  if (opened === null)
    throw new UsageError(`${unknown('target', target, BUILT_IN_NAMES)} (a path has a slash: .${path.sep}${target})`);
  if (opened.reason !== null) throw new UsageError(`target '${target}' is not available here: ${opened.reason}`);
  return opened;
}

export const call = command({
  summary: 'make one call in this process, without a service',
  arguments: LEVEL_AND_MESSAGE,
  flags: {
    target: {
      value: 'NAME|PATH',
      help: 'stdout (default), stderr, null, a fault target, or a file to append to: its path has a slash',
      completes: 'target-or-file',
    },
    json: { help: 'print the record of the call to stderr, as JSON' },
    witness: {
      help: 'print the system calls that the level made, and a verdict, to stderr (Linux on x86-64)',
    },
  },
  details: `It writes nothing else to standard output, so a tracer sees one write there. A file is created if it does not
exist. The fault targets, whose writes the kernel refuses:
${FAULT_NAMES.slice(0, 7).join(', ')},
${FAULT_NAMES.slice(7).join(', ')}.`,
  examples: [
    ["strace -e trace=write syswire call raw $'hello\\n'", 'shows the write of the instruction'],
    ['syswire call os hi --target full', 'the kernel refuses the write: ENOSPC'],
    ['syswire call std hi --target ./out --json', 'appends to the file out, and prints the record'],
  ],
  exits: {
    0: 'the operating system accepted the call',
    1: 'it refused the call, the witness does not agree, or the output could not be written',
    2: EXITS[2] as string,
  },
  run({ note, fail }, values, words) {
    const [level, msg] = levelAndMessage(words);
    if (!levels[level].available)
      throw new UsageError(`level '${level}' is not available here: ${levels[level].reason}`);

    const { reason } = values.witness ? witnessAvailability() : { reason: null };
    if (reason !== null) throw new UsageError(`--witness is not available here: ${reason}`);

    const bytes = readMessage(msg);
    const target = open(values.target ?? 'stdout');
    // Programs read the record from stderr, so nothing else may stand there.
    const hint = values.json ? null : hintAt(msg);
    if (hint !== null) note(hint);
    const before = performance.now();
    const { result, report = null } = values.witness
      ? witnessWrite(levels[level], target.fd, bytes)
      : { result: levels[level].write(target.fd, bytes) };
    const durationNs = Math.round((performance.now() - before) * 1e6);
    target.close();

    const { written, error } = outcomeOf(result, bytes.length);
    // The same fields as in the service's records, so that programs that read those can read this one.
    const record: CallRecord = {
      type: 'call',
      seq: 1,
      time: performance.timeOrigin + before,
      requestId: `call-${process.pid}`,
      level,
      target: target.name,
      fd: target.fd,
      requested: bytes.length,
      written,
      error,
      durationNs,
      pid: process.pid,
      preview: preview(bytes.subarray(0, PREVIEW_BYTES), bytes.length <= PREVIEW_BYTES),
    };
    if (values.json) note(JSON.stringify({ ...record, ...report }));
    else if (report) for (const line of describeWitnessed(report)) note(line);
    if (error) return fail(1, `write to ${target.name}: ${error.code} (${error.errno}): ${error.message}`);
    if (written < bytes.length) note(`syswire: the operating system took ${written} of ${bytes.length} bytes`);
    return report === null || report.verdict === AGREES ? 0 : 1;
  },
});
