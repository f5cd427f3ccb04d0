// syswire write LEVEL MSG: asks a running service for one write, and prints the result.
import type { WriteResult } from '../../protocol/calls.js';
import { duration } from '../../protocol/format.js';
import { CLIENT_FLAGS, createClient, encodeMessage, NO_ANSWER } from '../client.js';
import { command, EXITS } from '../command.js';
import { hintAt, LEVEL_AND_MESSAGE, levelAndMessage, readMessage, toNumber } from '../flags.js';

export const write = command({
  summary: 'ask a running service for one write',
  arguments: LEVEL_AND_MESSAGE,
  flags: {
    target: {
      value: 'NAME',
      help: 'the target to write to (stdout); syswire help targets says which there are',
      completes: 'target',
      field: 'target',
    },
    timeout: {
      value: 'MS',
      unit: 'milliseconds',
      field: 'timeoutMs',
      help: 'retry for this long until every byte is written (0: exactly one call)',
    },
    json: { help: 'print the answer of the service as JSON' },
    ...CLIENT_FLAGS,
  },
  examples: [
    [
      "syswire write raw $'hello\\n'",
      'the service writes hello and a line feed to its stdout, with its own instruction',
    ],
    ['date | syswire write os - --target full', 'the kernel refuses the write, because /dev/full is always full'],
  ],
  exits: {
    0: 'the operating system accepted the write',
    1: 'it refused the write, or the output could not be written',
    2: EXITS[2] as string,
    3: NO_ANSWER,
  },
  async run({ env, print, note, fail }, values, words) {
    const [level, msg] = levelAndMessage(words);
    const timeoutMs = toNumber(values.timeout);
    const client = createClient(values, env);
    const { target } = values;
    const hint = hintAt(msg);
    if (hint !== null) note(hint);
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
  },
});
