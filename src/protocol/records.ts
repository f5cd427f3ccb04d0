// The shapes of GET /events: its query, the record of a call, and the other lines of the stream.
import * as z from 'zod';
import {
  DurationNs,
  example,
  HostName,
  LevelName,
  OsRefusal,
  Requested,
  RequestId,
  Seq,
  TargetName,
  Written,
} from './fields.js';
import { number } from './format.js';
import { MAX_EVENTS } from './limits.js';
import { withValue } from './messages.js';
import { witnessed } from './witness.js';

const callExample = {
  type: 'call',
  seq: 1,
  time: 1767225600000.25,
  requestId: '3fa9c1d2-1',
  level: 'raw',
  target: 'stdout',
  fd: 1,
  requested: 28,
  written: 28,
  error: null,
  durationNs: 5213,
  pid: 4711,
  preview: 'Hello world from interrupt!\\n',
};

export const CallRecord = z
  .object({
    type: z.literal('call').describe('The kind of line.'),
    seq: Seq,
    time: z.number().describe('The time just before the call, in milliseconds since 1970, with fractions.'),
    requestId: RequestId,
    level: LevelName,
    target: TargetName,
    fd: z.int().describe('The file descriptor that was written to.'),
    requested: Requested,
    written: Written,
    error: OsRefusal,
    durationNs: DurationNs.describe('The duration of the call, in nanoseconds.'),
    pid: z.int().describe('The id of the process that made the call.'),
    preview: z
      .string()
      .describe(
        'The first 64 bytes of the message as text. Backslashes are escaped, and characters that are invisible or act on a terminal: control and format characters, line separators, private use (`\\n`, `\\x1b`, `\\u202e`, `\\u{e0001}`).',
      ),
    ...witnessed,
  })
  .meta({
    id: 'CallRecord',
    description: 'The facts about one call.',
    ...example(callExample),
  });
export type CallRecord = z.infer<typeof CallRecord>;

const RunName = z
  .string()
  .describe('The id of this start of the service. Each start has a new id, and its `seq` begins at 1.');

export const Hello = z
  .object({
    type: z.literal('hello').describe('The kind of line.'),
    run: RunName,
    pid: z.int().describe("The service's process id."),
    started: z.number().describe('The time of the start, in milliseconds since 1970.'),
    host: HostName,
    version: z.string().describe('The version of syswire.'),
    oldest: Seq.describe('The `seq` of the oldest record that the service still keeps.'),
    next: Seq.describe('The `seq` that the next call will have.'),
  })
  .meta({
    id: 'Hello',
    description:
      'The first line of a connection. In a record file, the first line of a run, and of each file that the run goes on in.',
    ...example({
      type: 'hello' as const,
      run: '3fa9c1d2',
      pid: 4711,
      started: 1767225600000,
      host: 'lab-1',
      version: '0.1.0',
      oldest: 1,
      next: 2,
    }),
  });
export type Hello = z.infer<typeof Hello>;

export const End = z
  .object({
    type: z.literal('end').describe('The kind of line.'),
    run: RunName,
    last: z.int().min(0).describe("The `seq` of the run's last record; 0 if it made no call."),
  })
  .meta({
    id: 'End',
    description: 'The last line of a run: the service has stopped, and makes no more calls.',
    ...example({ type: 'end' as const, run: '3fa9c1d2', last: 812 }),
  });
export type End = z.infer<typeof End>;

export const Gap = z
  .object({
    type: z.literal('gap').describe('The kind of line.'),
    from: Seq.describe('The `seq` of the first lost record.'),
    to: Seq.describe('The `seq` of the last lost record.'),
  })
  .meta({
    id: 'Gap',
    description:
      'A range of records that were overwritten before they could be sent: `from` to `to`, both included. It includes records that the filters would have left out.',
    ...example({ type: 'gap' as const, from: 3, to: 812 }),
  });
export type Gap = z.infer<typeof Gap>;

export const StreamError = z
  .object({
    type: z.literal('error').describe('The kind of line.'),
    detail: z.string().describe('The mistake, and what to do about it.'),
  })
  .meta({
    id: 'StreamError',
    description:
      'The reason why the stream cannot begin at the `since` of the request. The service then closes the connection with 1008.',
    ...example({ type: 'error' as const, detail: 'since=9 is in the future: use 7, the next record, or less' }),
  });
export type StreamError = z.infer<typeof StreamError>;

export const Events = z
  .object({
    events: z.array(CallRecord).describe('The records from `since` on that match the filters, oldest first.'),
    next: z.int().min(1).describe('The `since` of the request that continues after these records.'),
    oldest: z
      .int()
      .min(1)
      .describe(
        'The `seq` of the oldest record that the service still keeps. If it is above `since`, the records in between are lost.',
      ),
  })
  .meta({
    id: 'Events',
    description: 'Records that the service keeps.',
    ...example({ events: [callExample], next: 2, oldest: 1 }),
  });
export type Events = z.infer<typeof Events>;

const wholeNumber = (least: number, most: number) => {
  const error = withValue(`must be a whole number from ${number(least)} to ${number(most)}`);
  return z
    .string()
    .regex(/^\d{1,16}$/, { error })
    .transform(Number)
    .pipe(z.int({ error }).min(least, { error }).max(most, { error }));
};

export const EventsQuery = z.strictObject({
  since: wholeNumber(0, Number.MAX_SAFE_INTEGER)
    .transform((since) => Math.max(1, since))
    .optional()
    .describe(
      'The `seq` of the first record to send. 0 means the same as 1: from the beginning. If it is equal to `next`, only new records are sent. Without it, WebSocket sends new records only, and the answer in JSON begins at the oldest record.',
    ),
  limit: wholeNumber(1, MAX_EVENTS)
    .optional()
    .describe(`The most records to return, 1 to ${MAX_EVENTS} (default 1000). Not for WebSocket.`),
  run: z
    .string()
    .max(64)
    .optional()
    .describe('The `run` that `since` belongs to. The service refuses the request if it has been restarted since.'),
  level: LevelName.optional().describe('Only records of calls at this level.'),
  target: TargetName.optional().describe('Only records of calls to this target.'),
  requestId: z.string().max(64).optional().describe('Only records of calls that this request made.'),
  errors: z.literal('1').optional().describe('`1`: only records of calls that the operating system refused.'),
});
export type EventsQuery = z.infer<typeof EventsQuery>;
