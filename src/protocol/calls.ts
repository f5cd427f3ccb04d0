// What asks for calls, and what is answered.
import { z } from 'zod';
import { DurationNs, example, LevelName, OsRefusal, Requested, RequestId, Seq, TargetName, Written } from './fields.js';
import { Problem } from './problem.js';

/** The longest wait that a write may ask for, in ms. */
const MAX_TIMEOUT_MS = 60_000;
/** The most writes of one request. */
const MAX_WRITES = 10_000;
/** The most calls of a burst, and how long one may last, in ms. */
const MAX_BURST_CALLS = 10_000_000;
export const MAX_BURST_MS = 60_000;

/** What every call is made of. */
const message = {
  level: LevelName,
  msg: z
    .string()
    .refine((text) => text.isWellFormed(), 'has a lone surrogate, which no encoding can carry: send pairs, or base64')
    .describe('What to write: text, sent as UTF-8, or base64 if `encoding` says so.'),
  target: TargetName.default('stdout'),
  encoding: z
    .enum(['utf8', 'base64'])
    .default('utf8')
    .describe('What `msg` is: `utf8` text, or bytes as padded `base64`.'),
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
        '0: exactly one call. Above: calls repeat until every byte is written, an error other than EAGAIN or EINTR comes, or so many milliseconds have passed and there is no room; or until the service stops.',
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
    calls: z.int().min(1).describe('How many calls were made: 1 unless `timeoutMs` allowed more.'),
    seq: Seq.describe('The number of the last call’s record.'),
    durationNs: DurationNs.describe('Nanoseconds spent inside the calls, waiting between them not counted.'),
  })
  .meta({
    id: 'WriteResult',
    description: 'What came of a write: the operating system was asked.',
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
      .describe(`The writes, 1 to ${MAX_WRITES}, made one after the other.`),
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
        'What came of each write, in their order. A Problem stands for one that made no call: its turn did not come in time, too many waited already, or the service was stopping.',
      ),
  })
  .meta({
    id: 'WritesResult',
    description: 'What came of several writes: the operating system was asked at least once.',
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
    count: z.int().min(1).max(MAX_BURST_CALLS).describe('How many calls to make, each with the whole message.'),
    ratePerSecond: z
      .number()
      .positive()
      .max(MAX_BURST_CALLS)
      .optional()
      .describe(
        `How many of them a second; none: as fast as they go. A burst may last ${MAX_BURST_MS / 1000} s at most, so count / ratePerSecond must not be above that.`,
      ),
  })
  .superRefine(({ count, ratePerSecond }, context) => {
    if (ratePerSecond === undefined || count / ratePerSecond <= MAX_BURST_MS / 1000) return;
    const seconds = Math.ceil(count / ratePerSecond);
    const message = `${count} calls would take ${seconds} s, and a burst lasts ${MAX_BURST_MS / 1000} s at most: ask for fewer, or a higher rate`;
    context.addIssue({ code: 'custom', path: ['ratePerSecond'], message });
  })
  .meta({
    id: 'BurstRequest',
    description: 'One message, many calls.',
    ...example({ level: 'raw', msg: 'x\n', target: 'full', count: 100_000, ratePerSecond: 20_000 }),
  });
export type BurstRequest = z.infer<typeof BurstRequest>;

const ns = (what: string) => z.int().min(0).describe(what);

export const BurstResult = z
  .object({
    requestId: RequestId.describe("The request's id, which the records of its calls carry."),
    level: LevelName,
    target: TargetName,
    requested: Requested.describe('Bytes that each call was asked to write.'),
    count: z
      .int()
      .min(1)
      .describe(
        `How many calls were made: fewer than asked for if ${MAX_BURST_MS / 1000} s were over, or the service stopped.`,
      ),
    written: Written.describe('Bytes that the operating system took, of all calls.'),
    errors: z
      .record(z.string(), z.int().min(1))
      .describe("How many calls the operating system refused, by the error's name; empty when it took them all."),
    durationNs: z
      .object({
        min: ns('The shortest.'),
        mean: ns('Their mean.'),
        p50: ns('Half of them took no longer; within 0.1 %, like the other two.'),
        p90: ns('Nine of ten took no longer.'),
        p99: ns('All but one of a hundred took no longer.'),
        max: ns('The longest.'),
      })
      .describe('Nanoseconds that the calls took.'),
    histogram: z
      .array(
        z.object({
          ns: ns('The shortest time of this bucket; it ends where the next one begins.'),
          calls: z.int().min(1).describe('How many calls took so long.'),
        }),
      )
      .describe('How long the calls took, in buckets of which there are eight to a doubling; empty ones are left out.'),
    callsPerSecond: z.number().describe("Calls a second, from the first one's start to the last one's end."),
    firstSeq: Seq.describe("The first call's record."),
    lastSeq: Seq.describe("The last call's record. Calls of other requests may lie between the two."),
  })
  .meta({
    id: 'BurstResult',
    description: 'What came of a burst: the operating system was asked.',
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
