// syswire write LEVEL MSG: asks a running service for one write, and prints the result.
import type { WriteResult } from '../../protocol/calls.js';
import { duration } from '../../protocol/format.js';
import { LEVEL_IDS } from '../../protocol/names.js';
import { CLIENT_FLAGS, CLIENT_HELP, createClient, encodeMessage } from '../client.js';
import type { Command } from '../command.js';
import { MESSAGE_AT, parseFlags, parseLevelAndMessage, parseNumber, readMessage } from '../flags.js';

const HELP = `syswire write LEVEL MSG: ask a running service for one write

  LEVEL            ${LEVEL_IDS.join(', ')}
  MSG              the text to write, unchanged; - reads it from stdin
  --target NAME    the target to write to (stdout); GET /targets lists the names
  --timeout MS     retry for this long until every byte is written (0: exactly one call)
  --json           print the answer of the service as JSON
${CLIENT_HELP}

exit: 0 the operating system accepted the write, 1 it refused the write, or the output could not be written,
      2 wrong usage, 3 the service did not answer`;

export const write: Command = async ({ args, env, print, fail }) => {
  const { values, positionals } = parseFlags(
    {
      args,
      options: {
        timeout: { type: 'string' },
        ...CLIENT_FLAGS,
      },
      allowPositionals: true,
    },
    MESSAGE_AT,
  );
  if (values.help) {
    print(HELP);
    return 0;
  }
  const [level, msg] = parseLevelAndMessage('write', LEVEL_IDS, positionals);
  const timeoutMs = parseNumber('timeout', values.timeout);
  const client = createClient(values, env);
  const { target } = values;
  const result = await client.post<WriteResult>('write', {
    level,
    target,
    timeoutMs,
    ...encodeMessage(readMessage(msg)),
  });
  const { written, requested, calls, seq, error } = result;
  if (values.json) print(JSON.stringify(result));
  else if (!error)
    print(
      `${written} of ${requested} bytes at ${level} to ${result.target}: record ${seq}, ${calls} ${calls === 1 ? 'call' : 'calls'}, ${duration(result.durationNs)}`,
    );
  if (!error) return 0;
  const part = written > 0 ? ` after ${written} of ${requested} bytes` : '';
  return fail(1, `write to ${result.target}: ${error.code} (${error.errno}): ${error.message}${part}`);
};
