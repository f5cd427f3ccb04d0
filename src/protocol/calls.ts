// The shapes of the requests that make calls, and of their answers: POST /write, /writes and /bursts.
import * as z from 'zod';
import { DurationNs, example, LevelName, OsRefusal, Requested, RequestId, Seq, TargetName, Written } from './fields.js';
import { number } from './format.js';
import { MAX_BURST_CALLS, MAX_BURST_MS, MAX_TIMEOUT_MS, MAX_WRITES } from './limits.js';
import { asked } from './messages.js';
import { Problem } from './problem.js';
import { witnessed, witnessedBurst, witnessFlag } from './witness.js';

/** The fields that describe one call. */
const message = {
  level: LevelName,
  msg: z
    .string()
    .refine(
      (text) => text.isWellFormed(),
      'has a lone surrogate, which UTF-8 cannot encode: send the whole pair, or send the bytes as base64',
    )
    .describe('The message to write: text, which is written as UTF-8, or base64; `encoding` says which.')
    .register(asked, { give: 'the text to write' }),
  target: TargetName.default('stdout'),
  encoding: z
    .enum(['utf8', 'base64'])
    .default('utf8')
    .describe('The format of `msg`: `utf8` for text, `base64` for bytes in base64 with padding.'),
  witness: witnessFlag,
};

export const WriteRequest = z
  .strictObject({
    ...message,
    timeoutMs: z
      .int()
      .min(0)
      .max(MAX_TIMEOUT_MS)
      .default(0)
      .describe(
        'The longest time to wait for room, in milliseconds. 0: the service makes exactly one call. Above 0: it repeats the call until every byte is written, until an error other than EAGAIN or EINTR occurs, until the time is over, or until the service stops.',
      ),
  })
  .meta({
    id: 'WriteRequest',
    description: 'One write.',
    ...example({ level: 'raw', msg: 'Hello world from interrupt!\n' }),
  });
export type WriteRequest = z.infer<typeof WriteRequest>;

export const WriteResult = z
  .object({
    requestId: RequestId,
    level: LevelName,
    target: TargetName,
    requested: Requested,
    written: Written,
    error: OsRefusal,
    calls: z.int().min(1).describe('The number of calls that were made: 1, or more if `timeoutMs` is above 0.'),
    seq: Seq.describe("The number of the last call's record."),
    durationNs: DurationNs.describe(
      'The time spent inside the calls, in nanoseconds. Waits between calls do not count.',
    ),
    ...witnessed,
  })
  .meta({
    id: 'WriteResult',
    description: 'The result of a write. The operating system was asked.',
    ...example({
      requestId: '3fa9c1d2-1',
      level: 'raw',
      target: 'stdout',
      requested: 28,
      written: 28,
      error: null,
      calls: 1,
      seq: 1,
      durationNs: 5213,
    }),
  });
export type WriteResult = z.infer<typeof WriteResult>;

export const WritesRequest = z
  .strictObject({
    writes: z
      .array(WriteRequest)
      .min(1)
      .max(MAX_WRITES)
      .describe(`The writes, 1 to ${MAX_WRITES}. They are made one after the other.`)
      .register(asked, { give: 'a list of writes' }),
  })
  .meta({
    id: 'WritesRequest',
    description: 'Several writes.',
    ...example({
      writes: [
        { level: 'raw', msg: 'one\n' },
        { level: 'std', msg: 'two\n' },
      ],
    }),
  });

export const WritesResult = z
  .object({
    results: z
      .array(z.union([WriteResult, Problem]))
      .describe(
        'The result of each write, in the order of the request. A Problem means that this write made no call: earlier writes took longer than its `timeoutMs`, too many writes were waiting, or the service was stopping.',
      ),
  })
  .meta({
    id: 'WritesResult',
    description: 'The results of several writes. The operating system was asked at least once.',
    ...example({
      results: [
        {
          requestId: '3fa9c1d2-2',
          level: 'raw' as const,
          target: 'stdout',
          requested: 4,
          written: 4,
          error: null,
          calls: 1,
          seq: 2,
          durationNs: 4213,
        },
      ],
    }),
  });
export type WritesResult = z.infer<typeof WritesResult>;

export const BurstRequest = z
  .strictObject({
    ...message,
    // A burst to a terminal or a log would bury it.
    target: TargetName.default('null'),
    count: z
      .int()
      .min(1)
      .max(MAX_BURST_CALLS)
      .describe('The number of calls to make, each with the whole message.')
      .register(asked, { give: 'the number of calls' }),
    ratePerSecond: z
      .number()
      .positive()
      .max(MAX_BURST_CALLS)
      .optional()
      .describe(
        `The number of calls per second. Without it, the calls are made as fast as possible. A burst may take ${MAX_BURST_MS / 1000} s at most, so count / ratePerSecond must be ${MAX_BURST_MS / 1000} or less.`,
      ),
  })
  .superRefine(({ count, ratePerSecond }, context) => {
    // This also runs where a field is beyond its own limit, and has its message already.
    if (ratePerSecond === undefined || ratePerSecond <= 0 || count > MAX_BURST_CALLS) return;
    if (count / ratePerSecond <= MAX_BURST_MS / 1000) return;
    const seconds = Math.ceil(count / ratePerSecond);
    const message = `${ratePerSecond} is too low: ${number(count)} calls would take ${number(seconds)} s, and a burst may take ${MAX_BURST_MS / 1000} s at most; ask for fewer calls or a higher rate`;
    context.addIssue({ code: 'custom', path: ['ratePerSecond'], message });
  })
  .meta({
    id: 'BurstRequest',
    description: 'Many calls with the same message.',
    ...example({ level: 'raw', msg: 'x\n', target: 'full', count: 100_000, ratePerSecond: 20_000 }),
  });
export type BurstRequest = z.infer<typeof BurstRequest>;

const nanoseconds = (description: string) => z.int().min(0).describe(description);

export const BurstResult = z
  .object({
    requestId: RequestId.describe("The request's id. The records of its calls have the same id."),
    level: LevelName,
    target: TargetName,
    requested: Requested.describe('The number of bytes that each call was asked to write.'),
    count: z
      .int()
      .min(1)
      .describe(
        `The number of calls that were made. It is lower than the request's \`count\` if ${MAX_BURST_MS / 1000} s were over, or if the service stopped.`,
      ),
    written: Written.describe('The number of bytes that the operating system accepted, in all calls together.'),
    errors: z
      .record(z.string(), z.int().min(1))
      .describe(
        "The number of calls that the operating system refused, by the error's name. Empty if it refused none.",
      ),
    durationNs: z
      .object({
        min: nanoseconds('The shortest call.'),
        mean: nanoseconds('The mean.'),
        p50: nanoseconds('The median. All three percentiles are exact to 0.1 %.'),
        p90: nanoseconds('90 % of the calls took this time or less.'),
        p99: nanoseconds('99 % of the calls took this time or less.'),
        max: nanoseconds('The longest call.'),
      })
      .describe('The durations of the calls, in nanoseconds.'),
    histogram: z
      .array(
        z.object({
          ns: nanoseconds(
            'The lower end of the bucket. Its upper end is the lower end of the next bucket, even if that one is empty and left out.',
          ),
          calls: z.int().min(1).describe('The number of calls in this bucket.'),
        }),
      )
      .describe('A histogram of the durations, with eight buckets per doubling. Empty buckets are left out.'),
    callsPerSecond: z
      .number()
      .describe(
        'Calls per second, from the start of the first call to the end of the last one. The time between two calls counts too: each is recorded, and other requests have their turns. `durationNs.p50` is the cost of a call.',
      ),
    firstSeq: Seq.describe("The number of the first call's record."),
    lastSeq: Seq.describe("The number of the last call's record. Records of other requests may lie between the two."),
    ...witnessedBurst,
  })
  .meta({
    id: 'BurstResult',
    description: 'The result of a burst. The operating system was asked.',
    ...example({
      requestId: '3fa9c1d2-3',
      level: 'raw' as const,
      target: 'full',
      requested: 2,
      count: 100_000,
      written: 0,
      errors: { ENOSPC: 100_000 },
      durationNs: { min: 310, mean: 402, p50: 361, p90: 480, p99: 1102, max: 91_211 },
      histogram: [
        { ns: 288, calls: 12_021 },
        { ns: 352, calls: 71_830 },
        { ns: 448, calls: 16_149 },
      ],
      callsPerSecond: 20_000.2,
      firstSeq: 3,
      lastSeq: 100_002,
    }),
  });
export type BurstResult = z.infer<typeof BurstResult>;
