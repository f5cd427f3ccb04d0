// Level `raw`: our own instruction, in native/arch/, with no libc in between.
import { addon } from './addon.js';
import type { Level, Registers } from './contract.js';
import { negated } from './errno.js';

type Convention = { instruction: string; number: number; registers: Registers };

/** What native/arch/ does, per OS and CPU; test/native/ holds this against the machine code. */
const CONVENTIONS: Record<string, Convention> = {
  'linux-x64': {
    instruction: 'syscall',
    number: 1,
    registers: {
      number: 'rax',
      arguments: ['rdi', 'rsi', 'rdx'],
      result: 'rax',
      clobbered: ['rcx', 'r11', 'memory'],
      error: 'rax from -4095 to -1 is -errno',
    },
  },
  'linux-arm64': {
    instruction: 'svc #0',
    number: 64,
    registers: {
      number: 'x8',
      arguments: ['x0', 'x1', 'x2'],
      result: 'x0',
      clobbered: ['memory'],
      error: 'x0 from -4095 to -1 is -errno',
    },
  },
  'darwin-x64': {
    instruction: 'syscall',
    number: 0x2000004,
    registers: {
      number: 'rax',
      arguments: ['rdi', 'rsi', 'rdx'],
      result: 'rax',
      clobbered: ['rcx', 'r11', 'rdx', 'flags', 'memory'],
      error: 'the carry flag is set and rax is errno',
    },
  },
  'darwin-arm64': {
    instruction: 'svc #0x80',
    number: 4,
    registers: {
      number: 'x16',
      arguments: ['x0', 'x1', 'x2'],
      result: 'x0',
      clobbered: ['x1', 'flags', 'memory'],
      error: 'the carry flag is set and x0 is errno',
    },
  },
};

const convention = CONVENTIONS[`${process.platform}-${process.arch}`];

function reason(): string | null {
  if (typeof addon === 'string') return addon;
  return convention
    ? null
    : `no assembly for ${process.platform} on ${process.arch} yet: native/arch/ has no file for it`;
}

const why = reason();

export const raw: Level = {
  id: 'raw',
  write: typeof addon === 'string' ? () => negated('ENOSYS') : addon.write,
  available: why === null,
  reason: why,
  via: { instruction: convention?.instruction ?? null, symbol: null, library: null },
  registers: convention?.registers ?? null,
  number: convention?.number ?? null,
  code: typeof addon === 'string' || !convention ? null : addon.code(),
  seenBy: { strace: true, seccomp: true, ldPreload: false },
};
