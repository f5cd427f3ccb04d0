// syswire reconcile TRACE RECORDS: compares a tracer's view of the service with the service's own records.
import { joinWithOr } from '../../../protocol/format.js';
import { CLIENT_FLAGS } from '../../client.js';
import { command, UsageError } from '../../command.js';
import { compare } from './compare.js';
import { FORMAT_IDS, formatNamed } from './formats/table.js';
import { openRecords } from './records.js';
import { describe } from './report.js';
import { openTrace, type Trace } from './trace-file.js';

export const reconcile = command({
  summary: "compare a tracer's trace of the service with its records",
  arguments: [
    { name: 'TRACE', noun: 'trace', help: 'what the tracer wrote; - reads it from stdin', completes: 'file' },
    {
      name: 'RECORDS',
      noun: 'file of records',
      help: 'a file that --record wrote, - for stdin, or the address of a running service (http://…)',
      completes: 'file',
    },
  ],
  flags: {
    format: {
      value: 'FORMAT',
      help: `${joinWithOr(FORMAT_IDS)}; without it, the first lines show which`,
      choices: FORMAT_IDS,
    },
    strict: { help: 'compare every traced write, not only those on descriptors and in the time of the records' },
    json: { help: 'print the report as JSON, with 1000 differences at most' },
    token: CLIENT_FLAGS.token,
  },
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
  async run({ env, print }, { format, strict = false, json, token }, [traceName = '', recordsName = '']) {
    if (traceName === '-' && recordsName === '-')
      throw new UsageError('standard input is given twice: it is either the trace or the records');
    const records = await openRecords(recordsName, token ?? (env.SYSWIRE_TOKEN || undefined));
    let trace: Trace | undefined;
    try {
      const wantsEnters = records.overview.rings.size > 0;
      trace = await openTrace(traceName, format === undefined ? undefined : formatNamed(format), wantsEnters);
      const report = await compare(trace, records, strict);
      const { counts, witness, details, leftOut, notes } = report;
      print(json ? JSON.stringify({ ...counts, witness, details, leftOut, notes }) : describe(report));
      return counts.missing + counts.altered + counts.extra > 0 ? 1 : 0;
    } finally {
      trace?.close();
      records.close();
    }
  },
});
