// The record of a call, the stream's other lines, and what asks for them.
import { z } from 'zod';
import { DurationNs, example, LevelName, OsRefusal, Requested, RequestId, Seq, TargetName, Written } from './fields.js';

/** The most records that one GET /events answers with. */
const MAX_EVENTS = 10_000;

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
    type: z.literal('call').describe('What this line is.'),
    seq: Seq,
    time: z
      .number()
      .describe('When the call was made: milliseconds since 1970, with fractions, taken before the call.'),
    requestId: RequestId,
    level: LevelName,
    target: TargetName,
    fd: z.int().describe('The descriptor that the call named.'),
    requested: Requested,
    written: Written,
    error: OsRefusal,
    durationNs: DurationNs.describe('Nanoseconds that the call took.'),
    pid: z.int().describe('The process that made the call.'),
    preview: z
      .string()
      .describe('The first 64 bytes as text; control characters and backslashes are escaped (`\\n`, `\\x1b`).'),
  })
  .meta({
    id: 'CallRecord',
    description: 'The truth about one call.',
    ...example(callExample),
  });
export type CallRecord = z.infer<typeof CallRecord>;

const RunName = z.string().describe('Names this start of the service: another one begins again with `seq` 1.');

export const Hello = z
  .object({
    type: z.literal('hello').describe('What this line is.'),
    run: RunName,
    pid: z.int().describe("The service's process id."),
    started: z.number().describe('When it started, in milliseconds since 1970.'),
    oldest: Seq.describe('The oldest `seq` still kept.'),
    next: Seq.describe("The next call's `seq`."),
  })
  .meta({
    id: 'Hello',
    description: 'The first line on a connection.',
    ...example({ type: 'hello' as const, run: '3fa9c1d2', pid: 4711, started: 1767225600000, oldest: 1, next: 2 }),
  });
export type Hello = z.infer<typeof Hello>;

export const Gap = z
  .object({
    type: z.literal('gap').describe('What this line is.'),
    from: Seq.describe('The first record that is gone.'),
    to: Seq.describe('The last one that is gone.'),
  })
  .meta({
    id: 'Gap',
    description:
      'Records that the ring has overtaken before they were sent: `from` to `to`, both included, counted before filters.',
    ...example({ type: 'gap' as const, from: 3, to: 812 }),
  });
export type Gap = z.infer<typeof Gap>;

export const StreamError = z
  .object({
    type: z.literal('error').describe('What this line is.'),
    detail: z.string().describe('What is wrong and what to do about it.'),
  })
  .meta({
    id: 'StreamError',
    description: 'Why the stream cannot go on from where it was asked to; the connection closes with 1008 after it.',
    ...example({ type: 'error' as const, detail: 'since is in the future: the next record is 7' }),
  });
export type StreamError = z.infer<typeof StreamError>;

export const Events = z
  .object({
    events: z.array(CallRecord).describe('The records from `since` on that pass the filters, oldest first.'),
    next: z.int().min(1).describe('What to give as `since` to go on from here.'),
    oldest: z
      .int()
      .min(1)
      .describe('The oldest `seq` still kept. If it is above your `since`, those between are gone.'),
  })
  .meta({
    id: 'Events',
    description: 'Records that are kept.',
    ...example({ events: [callExample], next: 2, oldest: 1 }),
  });
export type Events = z.infer<typeof Events>;

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(least).max(most));

export const EventsQuery = z.strictObject({
  since: wholeNumber(1, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe(
      'Replay from this `seq`; equal to `next`: only what is still to come. Over WebSocket, none: only what is still to come.',
    ),
  limit: wholeNumber(1, MAX_EVENTS)
    .optional()
    .describe(`At most so many records, 1 to ${MAX_EVENTS} (default 1000). Not for WebSocket.`),
  run: z.string().max(64).optional().describe('The `run` that `since` belongs to: a service started anew refuses it.'),
  level: LevelName.optional().describe('Only calls at this level.'),
  target: TargetName.optional().describe('Only calls to this target.'),
  requestId: z.string().max(64).optional().describe('Only calls made for this request.'),
  errors: z.literal('1').optional().describe('`1`: only calls that the operating system refused.'),
});
export type EventsQuery = z.infer<typeof EventsQuery>;
