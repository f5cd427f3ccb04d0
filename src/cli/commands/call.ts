// syswire call LEVEL MSG: makes one call in this process, without a service. It writes nothing else to stdout, so that
// `strace syswire call raw hello` shows exactly one write there.

import { LEVEL_IDS, type LevelId } from '../../protocol/names.js';
import { PREVIEW_BYTES, preview } from '../../protocol/preview.js';
import type { CallRecord } from '../../protocol/records.js';
import { levels, outcomeOf, witnessAvailability, witnessWrite } from '../../syscalls/index.js';
import { openTarget, type Target } from '../../syscalls/targets/target.js';
import { type Command, UsageError } from '../command.js';
import { MESSAGE_AT, parseFlags, parseLevelAndMessage, readMessage } from '../flags.js';
import { describeWitnessed } from '../witnessed.js';

const HELP = `syswire call LEVEL MSG: make one call in this process, without a service

  LEVEL            ${LEVEL_IDS.join(', ')}
  MSG              the text to write, unchanged; - reads it from stdin
  --target PATH    the file to append to (standard output); it is created if it does not exist
  --json           print the record of the call to stderr, as JSON
  --witness        list every system call that the level made, each with its origin, and whether they agree with the
                   result: on stderr, or in the record of --json (Linux, x86-64)

exit: 0 the operating system accepted the call, 1 it refused the call, the witness does not agree, or the output
      could not be written, 2 wrong usage`;

/** stdout, not made non-blocking: a write that blocks holds up nobody but the user of this command. */
const STDOUT = { name: 'stdout', fd: 1, close: () => {} };

function open(path: string | undefined): Pick<Target, 'name' | 'fd' | 'close'> {
  try {
    return path === undefined ? STDOUT : openTarget(path, path);
  } catch (error) {
    throw new UsageError(`--target ${path}: ${(error as Error).message}`);
  }
}

export const call: Command = ({ args, print, note, fail }) => {
  const { values, positionals } = parseFlags(
    {
      args,
      options: {
        target: { type: 'string' },
        json: { type: 'boolean' },
        witness: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
      allowPositionals: true,
    },
    MESSAGE_AT,
  );
  if (values.help) {
    print(HELP);
    return 0;
  }
  const [id, msg] = parseLevelAndMessage('call', LEVEL_IDS, positionals);
  const level = id as LevelId;
  if (!levels[level].available) throw new UsageError(`level '${level}' is not available here: ${levels[level].reason}`);
  const { reason } = values.witness ? witnessAvailability() : { reason: null };
  if (reason !== null) throw new UsageError(`--witness is not available here: ${reason}`);

  const bytes = readMessage(msg);
  const target = open(values.target);
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
  if (values.json) note(JSON.stringify(report ? { ...record, witness: report } : record));
  else if (report) for (const line of describeWitnessed(report)) note(line);
  if (error) return fail(1, `write to ${target.name}: ${error.code} (${error.errno}): ${error.message}`);
  if (written < bytes.length) note(`syswire: the operating system took ${written} of ${bytes.length} bytes`);
  return report?.agrees === false ? 1 : 0;
};
