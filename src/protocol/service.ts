// The shapes of what the service reports about itself: GET /levels, /targets, /health and /metrics. Also POST /login.
import * as z from 'zod';
import { example, HostName, LevelName, TargetName } from './fields.js';
import { asked } from './messages.js';
import { KINDS } from './names.js';
import { Sighting } from './witness.js';

const Registers = z.object({
  number: z.string().describe('The register that takes the number of the system call.'),
  arguments: z
    .array(z.string())
    .describe('The registers that take the arguments, in order: of write, or for `uring` of io_uring_enter.'),
  meanings: z.array(z.string()).describe('The meaning of each of these arguments, in the same order.'),
  result: z.string().describe('The register that returns the result.'),
  clobbered: z.array(z.string()).describe('Other registers that the kernel overwrites; also `flags` and `memory`.'),
  error: z.string().describe('How the result shows an error.'),
});

const Disassembly = z
  .array(z.string())
  .describe('The machine code as text, one instruction per line; on x86-64 in AT&T syntax.');

const LevelShape = z
  .object({
    id: LevelName,
    available: z.boolean().describe('True if the level works on this machine.'),
    reason: z.string().nullable().describe('The reason why it is not available; null if it is.'),
    via: z
      .object({
        instruction: z.string().nullable().describe("syswire's own instruction that enters the kernel."),
        symbol: z.string().nullable().describe('The function that the level calls.'),
        library: z.string().nullable().describe('The library that has the function.'),
        file: z.string().nullable().describe('The file that the code was loaded from.'),
        address: z.string().nullable().describe("The address of the code in the service's memory, in hexadecimal."),
      })
      .describe('The way into the kernel. Fields that do not apply to the level are null.'),
    registers: Registers.nullable().describe("The instruction's calling convention; null if a library makes the call."),
    number: z
      .int()
      .nullable()
      .describe('The number of the system call (`uring`: of io_uring_enter); null if a library chooses it.'),
    code: z
      .string()
      .nullable()
      .describe(
        "The machine code in hexadecimal, read from the service's memory: of syswire's own instruction, or of libc's whole function. Null if its length is not known.",
      ),
    disassembly: Disassembly.nullable().describe(
      "The same code as text, one instruction per line; null for a library's code.",
    ),
    seenBy: z
      .object({
        strace: z.boolean().describe('True if strace shows a `write`.'),
        seccomp: z
          .boolean()
          .describe('True if a seccomp filter on `write` applies (`int80`: on the `write` of 32-bit programs).'),
        ldPreload: z.boolean().describe('True if a library loaded with LD_PRELOAD can intercept the call.'),
        ltrace: z.boolean().describe("True if ltrace shows the call: ltrace sees the executable's calls of libraries."),
      })
      .nullable()
      .describe(
        'The outside tools that see the `write`; null on a platform where this was not tested. At level `uring` they see an io_uring_enter instead.',
      ),
    witnessed: Sighting.nullable().describe(
      'What a witness saw of one call of this level on this machine. The service made it to the null device when it was first asked for the levels. Null if the level or the witness is not available.',
    ),
    manPage: z.string().describe("The URL of the call's documentation."),
  })
  .meta({ id: 'Level', description: 'A level: one way to make the call.' });

const ElsewhereShape = z
  .object({
    id: LevelName,
    platform: z.string().describe('The operating system and the CPU, by their names in Node: `linux-arm64`.'),
    instruction: z.string().describe('The instruction that enters the kernel.'),
    number: z.int().describe('The number of the system call, as the code loads it.'),
    registers: Registers.describe("The instruction's calling convention."),
    code: z.string().describe('The machine code in hexadecimal.'),
    disassembly: Disassembly,
  })
  .meta({
    id: 'LevelElsewhere',
    description: "A level on another platform, from syswire's own table: it was not read from memory.",
  });

export const Levels = z
  .object({
    levels: z.array(LevelShape).describe('Every level, from the instruction to the standard library.'),
    witness: z
      .object({
        available: z.boolean().describe('True if a request may ask for a witness.'),
        reason: z.string().nullable().describe('The reason why it is not available; null if it is.'),
        always: z.boolean().describe('True if the service was started with --witness: every call has a witness then.'),
      })
      .describe('The witness of this service.'),
    elsewhere: z.array(ElsewhereShape).describe("The levels with syswire's own instructions, on the other platforms."),
  })
  .meta({
    id: 'Levels',
    description: 'The levels, on this machine and on other platforms.',
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
            file: '/srv/syswire/prebuilds/linux-x64/syswire.node',
            address: '0x7f3a5c006f13',
          },
          registers: {
            number: 'rax',
            arguments: ['rdi', 'rsi', 'rdx'],
            meanings: ['descriptor', 'address of the bytes', 'number of bytes'],
            result: 'rax',
            clobbered: ['rcx', 'r11', 'memory'],
            error: 'a value from -4095 to -1 in rax is -errno',
          },
          number: 1,
          code: 'b8010000000f05',
          disassembly: ['mov $0x1,%eax', 'syscall'],
          seenBy: { strace: true, seccomp: true, ldPreload: false, ltrace: false },
          witnessed: {
            systemCalls: [
              {
                abi: 'x86-64' as const,
                number: 1,
                name: 'write',
                arguments: [25, 140_735_011_487_744, 6, 0, 0, 0],
                result: 6,
                error: null,
                origin: {
                  file: '/srv/syswire/prebuilds/linux-x64/syswire.node',
                  offset: 0x6f18,
                  symbol: null,
                  address: '0x7f3a5c006f18',
                  isLevel: true,
                },
                preview: 'hello\\n',
              },
            ],
            complete: true,
            dropped: 0,
            verdict: 'agrees',
          },
          manPage: 'https://man7.org/linux/man-pages/man2/syscall.2.html',
        },
      ],
      witness: { available: true, reason: null, always: false },
      elsewhere: [
        {
          id: 'raw' as const,
          platform: 'linux-arm64',
          instruction: 'svc #0',
          number: 64,
          registers: {
            number: 'x8',
            arguments: ['x0', 'x1', 'x2'],
            meanings: ['descriptor', 'address of the bytes', 'number of bytes'],
            result: 'x0',
            clobbered: ['memory'],
            error: 'a value from -4095 to -1 in x0 is -errno',
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
                'The kind of file behind the descriptor. `other`: an epoll descriptor, for example. `none`: the descriptor is not open.',
              ),
            shared: z
              .boolean()
              .describe(
                'True if the service had to set O_NONBLOCK on a file description that other processes may share; on Windows, PIPE_NOWAIT on the end of a pipe.',
              ),
            expects: z
              .string()
              .nullable()
              .describe('For a fault target, the errno of each write of one byte or more; null for other targets.'),
            available: z.boolean().describe('True if the target can be used on this machine.'),
            reason: z.string().nullable().describe('The reason why it is not available; null if it is.'),
          })
          .meta({ id: 'Target', description: 'A target: a descriptor with a name.' }),
      )
      .describe('Every target that a write may name.'),
  })
  .meta({
    id: 'Targets',
    description: 'The targets of this service.',
    ...example({
      targets: [
        { name: 'stdout', kind: 'pipe' as const, shared: false, expects: null, available: true, reason: null },
        { name: 'null', kind: 'device' as const, shared: false, expects: null, available: true, reason: null },
        { name: 'full', kind: 'device' as const, shared: false, expects: 'ENOSPC', available: true, reason: null },
      ],
    }),
  });
export type Targets = z.infer<typeof Targets>;

export const Health = z
  .object({
    status: z.literal('ok').describe('Always `ok`: the service answers.'),
    version: z.string().describe('The version of syswire.'),
    run: z.string().describe('The id of this start of the service.'),
    pid: z.int().describe("The service's process id."),
    started: z.number().describe('The time of the start, in milliseconds since 1970.'),
    host: HostName,
    next: z.int().min(1).describe('The `seq` that the next call will have.'),
    token: z.boolean().describe('True if the other requests need a token.'),
  })
  .meta({
    id: 'Health',
    description: 'The state of the service.',
    ...example({
      status: 'ok',
      version: '0.1.0',
      run: '3fa9c1d2',
      pid: 4711,
      started: 1767225600000,
      host: 'lab-1',
      next: 2,
      token: false,
    } as const),
  });
export type Health = z.infer<typeof Health>;

/** https://prometheus.io/docs/instrumenting/exposition_formats/#basic-info */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const MetricsText = z.string().meta({
  id: 'Metrics',
  description: 'Metrics in the text format of Prometheus.',
  ...example('syswire_calls_total{level="raw",target="stdout",code="OK"} 1\n'),
});
export const Metrics = { content: { [METRICS_TYPE]: { schema: MetricsText } } };

export const LoginRequest = z
  .strictObject({
    token: z
      .string()
      .max(4096)
      .describe('The token that the service was started with.')
      .register(asked, { give: 'the token that the service was started with' }),
  })
  .meta({
    id: 'LoginRequest',
    description: "The service's token, to log in.",
    ...example({ token: '0123456789abcdef' }),
  });
