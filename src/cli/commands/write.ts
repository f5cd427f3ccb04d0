// syswire write LEVEL MSG: asks a running service for a write, and says what came of it.
import type { WriteResult } from '../../protocol/calls.js';
import { duration } from '../../protocol/format.js';
import { LEVEL_IDS } from '../../protocol/names.js';
import { CLIENT_FLAGS, CLIENT_HELP, createClient, messageOf } from '../client.js';
import type { Command } from '../command.js';
import { bytesOf, levelAndMessage, numberOf, parseFlags } from '../flags.js';

const HELP = `syswire write LEVEL MSG: one write by a running service

  LEVEL            ${LEVEL_IDS.join(', ')}
  MSG              what to write, as it is; - reads it from stdin
  --target NAME    where to (stdout): GET /targets lists the names
  --timeout MS     how long to go on until every byte is written (0: exactly one call)
  --json           the answer as it is
${CLIENT_HELP}

exit: 0 the write was taken, 1 the operating system refused it, 2 usage, 3 no answer from the service`;

export const write: Command = async ({ args, env, print, fail }) => {
  const { values, positionals } = parseFlags({
    args,
    options: {
      timeout: { type: 'string' },
      ...CLIENT_FLAGS,
    },
    allowPositionals: true,
  });
  if (values.help) {
    print(HELP);
    return 0;
  }
  const [level, msg] = levelAndMessage('write', LEVEL_IDS, positionals);
  const timeoutMs = numberOf('timeout', values.timeout);
  const client = createClient(values, env);
  const { target } = values;
  const result = await client.post<WriteResult>('write', { level, target, timeoutMs, ...messageOf(bytesOf(msg)) });
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
