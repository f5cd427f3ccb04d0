// syswire write LEVEL MSG: asks a running service for one write, and prints the result.
import type { WriteResult } from '../../protocol/calls.js';
import { duration } from '../../protocol/format.js';
import { AGREES } from '../../protocol/system-call.js';
import { CLIENT_FLAGS, createClient, encodeMessage, NO_ANSWER, withoutWitness } from '../client.js';
import { command, EXITS } from '../command.js';
import { hintAt, LEVEL_AND_MESSAGE, levelAndMessage, readMessage, toNumber } from '../flags.js';
import { readReport, reportLines, WITNESS_FLAG } from '../witnessed.js';

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
    witness: WITNESS_FLAG,
    json: { help: 'print the answer of the service as JSON' },
    ...CLIENT_FLAGS,
  },
  examples: [
    [
      "syswire write raw $'hello\\n'",
      'the service writes hello and a line feed to its stdout, with its own instruction',
    ],
    ['date | syswire write os - --target full', 'the kernel refuses the write, because /dev/full is always full'],
    ['syswire write std hi --witness', 'shows that the standard library makes the write of libc'],
  ],
  exits: {
    0: 'the operating system accepted the write',
    1: 'it refused the write, the witness does not agree, or the output could not be written',
    2: EXITS[2] as string,
    3: NO_ANSWER,
  },
  async run({ env, print, note, fail }, values, words) {
    const [level, msg] = levelAndMessage(words);
    const timeoutMs = toNumber(values.timeout);
    const client = createClient(values, env);
    const { target, witness } = values;
    const hint = hintAt(msg);
    if (hint !== null) note(hint);
    const result = await client.post<WriteResult>('write', {
      level,
      target,
      timeoutMs,
      witness,
      ...encodeMessage(readMessage(msg)),
    });
    const { written, requested, calls, seq, error } = result;
    // A service may witness every call. Its verdict counts only where it was asked for.
    const report = witness ? readReport(result) : null;
    if (witness && report === null) throw withoutWitness(client.origin);
    if (values.json) print(JSON.stringify(result));
    else if (!error)
      print(
        `${written} of ${requested} bytes at ${level} to ${result.target}: record ${seq}, ${calls} ${calls === 1 ? 'call' : 'calls'}, ${duration(result.durationNs)}`,
      );
    if (report && !values.json) for (const line of reportLines(report)) print(line);
    if (!error) return report === null || report.verdict === AGREES ? 0 : 1;
    const part = written > 0 ? ` after ${written} of ${requested} bytes` : '';
    return fail(1, `write to ${result.target}: ${error.code} (${error.errno}): ${error.message}${part}`);
  },
});
