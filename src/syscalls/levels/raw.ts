// Level `raw`: the system call by our own instruction (native/arch/), without libc.
import { addon } from '../bindings/addon.js';
import { minusErrno } from '../bindings/errno.js';
import type { Convention, Level } from '../contract.js';
import { anatomyOf, WRITE_MEANINGS } from './anatomy.js';

/** The instruction in native/arch/ per platform. The tests in test/native/ compare this table with the machine code. */
export const RAW: Record<string, Convention> = {
  'linux-x64': {
    instruction: 'syscall',
    number: 1,
    code: 'b8010000000f05',
    disassembly: ['mov $0x1,%eax', 'syscall'],
    registers: {
      number: 'rax',
      arguments: ['rdi', 'rsi', 'rdx'],
      meanings: WRITE_MEANINGS,
      result: 'rax',
      clobbered: ['rcx', 'r11', 'memory'],
      error: 'a value from -4095 to -1 in rax is -errno',
    },
  },
  'linux-arm64': {
    instruction: 'svc #0',
    number: 64,
    code: '080880d2010000d4',
    disassembly: ['mov x8, #0x40', 'svc #0x0'],
    registers: {
      number: 'x8',
      arguments: ['x0', 'x1', 'x2'],
      meanings: WRITE_MEANINGS,
      result: 'x0',
      clobbered: ['memory'],
      error: 'a value from -4095 to -1 in x0 is -errno',
    },
  },
  'darwin-x64': {
    instruction: 'syscall',
    number: 0x2000004,
    code: 'b8040000020f05730348f7d8',
    disassembly: ['mov $0x2000004,%eax', 'syscall', 'jae 0xc', 'neg %rax'],
    registers: {
      number: 'rax',
      arguments: ['rdi', 'rsi', 'rdx'],
      meanings: WRITE_MEANINGS,
      result: 'rax',
      clobbered: ['rcx', 'r11', 'rdx', 'flags', 'memory'],
      error: 'the carry flag is set, and rax is errno',
    },
  },
  'darwin-arm64': {
    instruction: 'svc #0x80',
    number: 4,
    code: '900080d2011000d443000054e00300cb',
    disassembly: ['mov x16, #0x4', 'svc #0x80', 'b.cc 0x10', 'neg x0, x0'],
    registers: {
      number: 'x16',
      arguments: ['x0', 'x1', 'x2'],
      meanings: WRITE_MEANINGS,
      result: 'x0',
      clobbered: ['x1', 'flags', 'memory'],
      error: 'the carry flag is set, and x0 is errno',
    },
  },
};

const convention = RAW[`${process.platform}-${process.arch}`];

function findReason(): string | null {
  if (typeof addon === 'string') return addon;
  return convention
    ? null
    : `no assembly for ${process.platform} on ${process.arch} yet: native/arch/ has no file for it`;
}

const reason = findReason();

export const raw: Level = {
  id: 'raw',
  write: typeof addon === 'string' ? () => minusErrno('ENOSYS') : addon.write,
  available: reason === null,
  reason,
  ...anatomyOf(convention, (addon) => addon),
  seenBy: { strace: true, seccomp: true, ldPreload: false, ltrace: false },
  manPage: 'https://man7.org/linux/man-pages/man2/syscall.2.html',
};
