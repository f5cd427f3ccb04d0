// What is told of the service: its levels, its targets, its health.
import { z } from 'zod';
import { example, LevelName, TargetName } from './fields.js';
import { KINDS } from './names.js';

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
export type Levels = z.infer<typeof Levels>;

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
              .describe(
                'Whether O_NONBLOCK had to be set on a file description that others may share; on Windows PIPE_NOWAIT, on the end of a pipe.',
              ),
            expects: z
              .string()
              .nullable()
              .describe(
                'For a fault target, the errno that each write of a byte or more to it gives; null for the others.',
              ),
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
export type Targets = z.infer<typeof Targets>;

export const Health = z
  .object({
    status: z.literal('ok').describe('The service answers.'),
    version: z.string().describe('The version of syswire.'),
    run: z.string().describe('Names this start of the service.'),
    pid: z.int().describe("The service's process id."),
    started: z.number().describe('When it started, in milliseconds since 1970.'),
    next: z.int().min(1).describe("The next call's `seq`."),
    token: z.boolean().describe('Whether the other requests need a token.'),
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
      token: false,
    } as const),
  });
export type Health = z.infer<typeof Health>;

/** https://prometheus.io/docs/instrumenting/exposition_formats/#basic-info */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const MetricsText = z.string().meta({
  id: 'Metrics',
  description: 'Lines of text, as Prometheus reads them.',
  ...example('syswire_calls_total{level="raw",target="stdout",code="OK"} 1\n'),
});
export const Metrics = { content: { [METRICS_TYPE]: { schema: MetricsText } } };

export const LoginRequest = z
  .strictObject({ token: z.string().max(4096).describe('What the service was started with.') })
  .meta({ id: 'LoginRequest', description: 'A token to be let in with.', ...example({ token: '0123456789abcdef' }) });
