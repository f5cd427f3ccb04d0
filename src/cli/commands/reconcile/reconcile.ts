// syswire reconcile TRACE RECORDS: compares a tracer's view of the service with the service's own records.
import { CLIENT_FLAGS } from '../../client.js';
import { command, UsageError } from '../../command.js';
import { toNumber } from '../../flags.js';
import { PATIENCE_MS, waitForEnd } from './follow.js';
import { FORMAT_IDS, formatNamed, LISTED } from './formats/table.js';
import { openRecords } from './records.js';
import { describe, differencesOf, toJson } from './report.js';
import { openTrace, type Trace } from './trace-file.js';
import { judge } from './verdict.js';
import { parseWindow } from './window.js';

export const reconcile = command({
  summary: "compare a tracer's trace of the service with its records",
  arguments: [
    {
      name: 'TRACE',
      noun: 'trace',
      help: 'what the tracer wrote, also packed by gzip, or in several files (strace -ff); - for stdin',
      completes: 'file',
      isSeveral: true,
    },
    {
      name: 'RECORDS',
      noun: 'file of records',
      help: 'the last argument: a file of --record, - for stdin, or the address of a service (http://…)',
      completes: 'file',
    },
  ],
  flags: {
    format: {
      value: 'FORMAT',
      help: 'a format of those below; without it, the first lines show which',
      choices: FORMAT_IDS,
    },
    strict: { help: 'compare every traced write, not only those on descriptors and in the time of the records' },
    attached: {
      help: "judge only records between the tracer's first and last event; the others are not watched",
    },
    since: {
      value: 'SEQ|TIME',
      help: 'judge the records from this one on, or from a time: 17, 2026-01-01T00:00:00Z',
    },
    until: { value: 'SEQ|TIME', help: 'judge records up to this one or this time' },
    'request-id': { value: 'ID', help: 'judge only the records of this request' },
    follow: { help: 'wait until the run of the records ends (the service stops), then compare' },
    timeout: {
      value: 'MS',
      unit: 'milliseconds',
      help: `with --follow, the longest time in which nothing is written; ${PATIENCE_MS} by default`,
    },
    json: { help: 'print the report as JSON, with 1000 differences at most' },
    token: CLIENT_FLAGS.token,
  },
  details: `Formats:
${LISTED.map(({ id, title }) => `  ${id.padEnd(18)} ${title}`).join('\n')}`,
  examples: [
    [
      'strace -f -ttt -y -e trace=write -o trace syswire --record records',
      'traces a service; make some calls, then stop it',
    ],
    [
      'strace -f -ttt -y -e trace=write,io_uring_enter -o trace syswire --record records --witness',
      'traces a service whose calls have a witness, which then says of each difference which side is right',
    ],
    ['syswire reconcile trace records', 'shows the calls that are missing in the trace, and those that differ there'],
  ],
  exits: {
    0: 'the trace and the records agree',
    1: 'there are differences, or the report could not be written',
    2: 'the command was called wrongly, or the trace or the records cannot be used',
    3: 'no answer from the service',
  },
  async run({ env, print }, flags, words) {
    const { format, strict = false, attached = false, follow = false, json, token } = flags;
    const traceNames = words.slice(0, -1);
    const recordsName = words.at(-1) ?? '';
    if (words.filter((word) => word === '-').length > 1)
      throw new UsageError('standard input is given twice: it is either a trace or the records');
    const window = parseWindow(flags.since, flags.until, flags['request-id']);
    if (follow) await waitForEnd(traceNames, recordsName, toNumber(flags.timeout) ?? PATIENCE_MS);
    const records = await openRecords(recordsName, token ?? (env.SYSWIRE_TOKEN || undefined));
    let trace: Trace | undefined;
    try {
      const wantsEnters = records.runs.some(({ rings }) => rings.size > 0);
      trace = await openTrace(traceNames, format === undefined ? undefined : formatNamed(format), wantsEnters);
      const report = await judge(trace, records, { isStrict: strict, isAttached: attached, window });
      print(json ? toJson(report) : describe(report));
      return differencesOf(report) > 0 ? 1 : 0;
    } finally {
      trace?.close();
      records.close();
    }
  },
});
