// syswire call LEVEL MSG: makes the call here and now, without a service. It writes nothing else to stdout, so that
// `strace syswire call raw hello` shows the one write that was asked for.

import { LEVEL_IDS, type LevelId } from '../../protocol/names.js';
import { PREVIEW_BYTES, preview } from '../../protocol/preview.js';
import type { CallRecord } from '../../protocol/records.js';
import { levels, osError } from '../../syscalls/index.js';
import { openTarget, type Target } from '../../syscalls/targets/target.js';
import { type Command, UsageError } from '../command.js';
import { bytesOf, levelAndMessage, parseFlags } from '../flags.js';

const HELP = `syswire call LEVEL MSG: makes one call, here and now, and exits

  LEVEL            ${LEVEL_IDS.join(', ')}
  MSG              what to write, as it is; - reads it from stdin
  --target PATH    where to (standard output); a file is created if need be and appended to
  --json           the record of the call, as JSON, on stderr

exit: 0 the call was taken, 1 the operating system refused it, 2 usage`;

/** Standard output as it is: here a write may block, since only the person who asked for it waits. */
const STDOUT = { name: 'stdout', fd: 1, close: () => {} };

function open(path: string | undefined): Pick<Target, 'name' | 'fd' | 'close'> {
  try {
    return path === undefined ? STDOUT : openTarget(path, path);
  } catch (error) {
    throw new UsageError(`--target: ${(error as Error).message}`);
  }
}

export const call: Command = ({ args, print, note, fail }) => {
  const { values, positionals } = parseFlags({
    args,
    options: { target: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (values.help) {
    print(HELP);
    return 0;
  }
  const [id, msg] = levelAndMessage('call', LEVEL_IDS, positionals);
  const level = id as LevelId;
  if (!levels[level].available) throw new UsageError(`level '${level}' is not available here: ${levels[level].reason}`);

  const bytes = bytesOf(msg);
  const target = open(values.target);
  const before = performance.now();
  const result = levels[level].write(target.fd, bytes);
  const durationNs = Math.round((performance.now() - before) * 1e6);
  target.close();

  const error = osError(result);
  const written = Math.max(0, result);
  // The record that the service would make, so that whatever reads those can read this one.
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
  if (values.json) note(JSON.stringify(record));
  if (error) return fail(1, `write to ${target.name}: ${error.code} (${error.errno}): ${error.message}`);
  if (written < bytes.length) note(`syswire: the operating system took ${written} of ${bytes.length} bytes`);
  return 0;
};
