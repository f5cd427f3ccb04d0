// syswire reconcile TRACE RECORDS: compares a tracer's view of the service with the service's own records.
import { type Command, UsageError } from '../../command.js';
import { parseFlags } from '../../flags.js';
import { compare } from './compare.js';
import { openRecords } from './records.js';
import { describe } from './report.js';
import { openTrace } from './trace-file.js';
import { FORMATS, type Format } from './traces.js';

const HELP = `syswire reconcile TRACE RECORDS: compares what a tracer saw of the service with its records

  TRACE            what the tracer wrote; - reads it from stdin
  RECORDS          a file that --record wrote, - for stdin, or the address of a running service (http://…)
  --format FORMAT  ${FORMATS.join(', ')}; guessed from the first lines when not given
  --strict         compares every traced write; without it, only those on descriptors in the records,
                   between the first record and the last
  --json           prints the report as JSON, with 1000 differences at most
  --token TOKEN    for the service, or SYSWIRE_TOKEN

exit: 0 the trace and the records agree, 1 there are differences, or the report could not be written,
      2 unusable input, 3 no answer from the service`;

type Options = {
  trace: string;
  records: string;
  format: Format | undefined;
  strict: boolean;
  json: boolean;
  token: string | undefined;
};

function parse(args: string[], env: NodeJS.ProcessEnv): Options | 'help' {
  const { values, positionals } = parseFlags({
    args,
    options: {
      format: { type: 'string' },
      strict: { type: 'boolean' },
      json: { type: 'boolean' },
      token: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) return 'help';
  const [trace, records, ...more] = positionals;
  if (trace === undefined || records === undefined || more.length > 0)
    throw new UsageError('one trace and one file of records are needed: syswire reconcile TRACE RECORDS');
  if (trace === '-' && records === '-')
    throw new UsageError('standard input is given twice: it is either the trace or the records');
  const format = FORMATS.find((known) => known === values.format);
  if (values.format !== undefined && !format)
    throw new UsageError(`--format ${values.format}: must be one of ${FORMATS.join(', ')}`);
  return {
    trace,
    records,
    format,
    strict: values.strict ?? false,
    json: values.json ?? false,
    token: values.token ?? (env.SYSWIRE_TOKEN || undefined),
  };
}

export const reconcile: Command = async ({ args, env, print }) => {
  const options = parse(args, env);
  if (options === 'help') {
    print(HELP);
    return 0;
  }
  const records = await openRecords(options.records, options.token);
  try {
    const trace = await openTrace(options.trace, options.format);
    const report = await compare(trace, records, options.strict);
    const { counts, details, leftOut, notes } = report;
    print(options.json ? JSON.stringify({ ...counts, details, leftOut, notes }) : describe(report));
    return counts.missing + counts.altered + counts.extra > 0 ? 1 : 0;
  } finally {
    records.close();
  }
};
