// The shapes of everything that crosses the wire, and their types. No behaviour here:
// openapi.yaml and the serializers are made from these.
import { z } from 'zod';
import { KINDS, LEVEL_IDS } from '../syscalls/contract.js';

/** The longest wait that a write may ask for, in ms. */
export const MAX_TIMEOUT_MS = 60_000;
/** The most records that one GET /events answers with. */
export const MAX_EVENTS = 10_000;

const example = <T>(value: T): { examples: T[] } => ({ examples: [value] });

export const LevelName = z.enum(LEVEL_IDS).meta({
  id: 'LevelName',
  description:
    'How the call is made: `raw` by our own instruction, `int80` by the software interrupt of 32-bit programs (Linux, x86-64), `uring` as an entry in an io_uring (Linux), `os` through libc (kernel32 on Windows), `std` through `fs.writeSync`.',
});

const TargetName = z
  .string()
  .regex(/^[\w.-]{1,64}$/, 'a target name is 1 to 64 letters, digits, dots, dashes or underscores')
  .describe('The name of a target, as `GET /targets` lists it.');

const RequestId = z
  .string()
  .describe("The request's id: its `X-Request-Id` (1 to 64 of `A-Z a-z 0-9 _ . -`), or one made for it.");
const Requested = z.int().min(0).describe('Bytes that the call was asked to write.');
const Written = z.int().min(0).describe('Bytes that the operating system took.');
const Seq = z.int().min(1).describe('The number of a record: 1 for the first call of a run, one more for each call.');
const DurationNs = z.int().min(0);

export const WriteRequest = z
  .strictObject({
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
    timeoutMs: z
      .int()
      .min(0)
      .max(MAX_TIMEOUT_MS)
      .default(0)
      .describe(
        '0: exactly one call. Above: calls repeat until every byte is written, an error other than EAGAIN or EINTR comes, or so many milliseconds have passed.',
      ),
  })
  .meta({
    id: 'WriteRequest',
    description: 'One write.',
    ...example({ level: 'raw', msg: 'Hello world from interrupt!\n' }),
  });
export type WriteRequest = z.infer<typeof WriteRequest>;

export const OsErrorShape = z
  .object({
    code: z.string().describe("The error's name: `ENOSPC`, on Windows `ERROR_DISK_FULL`."),
    errno: z.int().describe("The operating system's own number for it."),
    message: z.string().describe("The operating system's own words for it."),
  })
  .meta({
    id: 'OsError',
    description: 'What the operating system said.',
    ...example({ code: 'ENOSPC', errno: 28, message: 'No space left on device' }),
  });

const OsRefusal = OsErrorShape.nullable().describe("The operating system's refusal; null when it took the call.");

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

const Registers = z.object({
  number: z.string().describe('Takes the number of the system call.'),
  arguments: z
    .array(z.string())
    .describe('Take descriptor, address and count; for `uring`, what io_uring_enter takes.'),
  result: z.string().describe('Gives the result.'),
  clobbered: z.array(z.string()).describe('Overwritten by the kernel besides.'),
  error: z.string().describe('How an error is told from a count.'),
});

const Disassembly = z
  .array(z.string())
  .describe('The machine code in words, an instruction each; on x86-64 in AT&T syntax.');

export const LevelShape = z
  .object({
    id: LevelName,
    available: z.boolean().describe('Whether it can be asked for on this machine.'),
    reason: z.string().nullable().describe('Why it cannot; null when it can.'),
    via: z
      .object({
        instruction: z.string().nullable().describe('The instruction of our own that enters the kernel.'),
        symbol: z.string().nullable().describe('The function called instead.'),
        library: z.string().nullable().describe('Where that function lives.'),
        file: z.string().nullable().describe('The file that the code was loaded from.'),
        address: z.string().nullable().describe("Where it lies in the service's memory, as hex."),
      })
      .describe('How it reaches the kernel; null where it does not apply.'),
    registers: Registers.nullable().describe("The instruction's calling convention; null where a library sees to it."),
    number: z
      .int()
      .nullable()
      .describe("The system call's number (`uring`: of io_uring_enter); null where a library chooses it."),
    code: z
      .string()
      .nullable()
      .describe(
        "The machine code as hex, read back from memory: our instruction's, or the whole of libc's function; null where nobody says.",
      ),
    disassembly: Disassembly.nullable().describe('The same in words, an instruction each; null where it is not ours.'),
    seenBy: z
      .object({
        strace: z.boolean().describe('Whether strace sees a `write`.'),
        seccomp: z
          .boolean()
          .describe('Whether a seccomp filter on `write` applies (`int80`: on the `write` of 32-bit programs).'),
        ldPreload: z.boolean().describe('Whether a library loaded with LD_PRELOAD can step in.'),
        ltrace: z.boolean().describe("Whether ltrace, which watches one file's calls of another, sees it."),
      })
      .nullable()
      .describe(
        'Which observers can see the `write`; null where nobody has tried. Of `uring` they see an io_uring_enter.',
      ),
    manPage: z.string().describe('Where to read on.'),
  })
  .meta({ id: 'Level', description: 'One level.' });

const ElsewhereShape = z
  .object({
    id: LevelName,
    platform: z.string().describe('Operating system and CPU, as Node names them: `linux-arm64`.'),
    instruction: z.string().describe('The instruction that enters the kernel.'),
    number: z.int().describe("The system call's number, as it is loaded."),
    registers: Registers.describe("The instruction's calling convention."),
    code: z.string().describe('The machine code as hex.'),
    disassembly: Disassembly,
  })
  .meta({ id: 'LevelElsewhere', description: 'A level as it is made on another platform, from the table.' });

export const Levels = z
  .object({
    levels: z.array(LevelShape).describe('Every level, from the instruction upwards.'),
    elsewhere: z
      .array(ElsewhereShape)
      .describe('The levels of our own instructions on other platforms; not of this machine.'),
  })
  .meta({
    id: 'Levels',
    description: 'The levels.',
    ...example({
      levels: [
        {
          id: 'raw' as const,
          available: true,
          reason: null,
          via: {
            instruction: 'syscall',
            symbol: null,
            library: null,
            file: '/srv/syswire/prebuilds/linux-x64/syswire.glibc.node',
            address: '0x7f3a5c006f13',
          },
          registers: {
            number: 'rax',
            arguments: ['rdi', 'rsi', 'rdx'],
            result: 'rax',
            clobbered: ['rcx', 'r11', 'memory'],
            error: 'rax from -4095 to -1 is -errno',
          },
          number: 1,
          code: 'b8010000000f05',
          disassembly: ['mov $0x1,%eax', 'syscall'],
          seenBy: { strace: true, seccomp: true, ldPreload: false, ltrace: false },
          manPage: 'https://man7.org/linux/man-pages/man2/syscall.2.html',
        },
      ],
      elsewhere: [
        {
          id: 'raw' as const,
          platform: 'linux-arm64',
          instruction: 'svc #0',
          number: 64,
          registers: {
            number: 'x8',
            arguments: ['x0', 'x1', 'x2'],
            result: 'x0',
            clobbered: ['memory'],
            error: 'x0 from -4095 to -1 is -errno',
          },
          code: '080880d2010000d4',
          disassembly: ['mov x8, #0x40', 'svc #0x0'],
        },
      ],
    }),
  });

export const Targets = z
  .object({
    targets: z
      .array(
        z
          .object({
            name: TargetName,
            kind: z
              .enum(KINDS)
              .describe(
                'What the descriptor leads to; `other`: an epoll descriptor, say; `none`: nothing is open there.',
              ),
            shared: z
              .boolean()
              .describe('Whether O_NONBLOCK had to be set on a file description that others may share.'),
            expects: z
              .string()
              .nullable()
              .describe('For a fault target, the errno that each write to it gives; null for the others.'),
            available: z.boolean().describe('Whether it can be written to on this machine.'),
            reason: z.string().nullable().describe('Why it cannot; null when it can.'),
          })
          .meta({ id: 'Target', description: 'One target.' }),
      )
      .describe('Every target that a write may name.'),
  })
  .meta({
    id: 'Targets',
    description: 'The targets.',
    ...example({
      targets: [
        { name: 'stdout', kind: 'pipe' as const, shared: false, expects: null, available: true, reason: null },
        { name: 'full', kind: 'device' as const, shared: false, expects: 'ENOSPC', available: true, reason: null },
      ],
    }),
  });

export const Health = z
  .object({
    status: z.literal('ok').describe('The service answers.'),
    version: z.string().describe('The version of syswire.'),
    run: z.string().describe('Names this start of the service.'),
    pid: z.int().describe("The service's process id."),
    started: z.number().describe('When it started, in milliseconds since 1970.'),
    next: z.int().min(1).describe("The next call's `seq`."),
  })
  .meta({
    id: 'Health',
    description: 'The service answers.',
    ...example({
      status: 'ok',
      version: '0.1.0',
      run: '3fa9c1d2',
      pid: 4711,
      started: 1767225600000,
      next: 2,
    } as const),
  });

export const Problem = z
  .object({
    type: z.string().describe('`about:blank`: the status says what kind of problem it is.'),
    title: z.string().describe("The status in HTTP's own words."),
    status: z.int().describe('The HTTP status.'),
    detail: z.string().describe('What is wrong and what to do about it.'),
    requestId: z.string().optional().describe("The request's id, where it came far enough to have one."),
    errors: z
      .array(
        z.object({
          pointer: z
            .string()
            .describe('Where: a JSON Pointer into the body (`#/msg`), or the name of a parameter (`?since`).'),
          detail: z.string().describe('What is wrong there.'),
        }),
      )
      .optional()
      .describe('The fields at fault.'),
  })
  .meta({ id: 'Problem', description: 'Why no call was made (RFC 9457).' });
export type Problem = z.infer<typeof Problem>;
