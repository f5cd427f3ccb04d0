// Level `uring`: a write as an entry in a ring that the kernel reads, in native/uring.cc. Who watches system calls
// sees io_uring_enter, and no write. https://man7.org/linux/man-pages/man7/io_uring.7.html
//
// Where it differs from `raw`:
// - A full pipe or socket says −EAGAIN even without O_NONBLOCK, where `raw` waits. An epoll descriptor without
//   O_NONBLOCK says so as well, where `raw` has −EINVAL. (A terminal without O_NONBLOCK makes both wait.)
// - Zero bytes to a device without a write_iter of its own, /dev/full for one, are 0: the kernel does not ask it.
// - A regular file is written by a worker thread of the kernel, which takes some 100 µs.
import { readFileSync } from 'node:fs';
import { addon, anatomyOf } from '../bindings/addon.js';
import { osError } from '../bindings/errno.js';
import type { Convention, Level } from '../contract.js';
import { onFirstUse } from './on-first-use.js';

/** io_uring_enter(2), the same on every architecture; the write is the entry's opcode, IORING_OP_WRITE. */
const IO_URING_ENTER = 426;

/** What native/arch/*-calls.cc does, per CPU; test/syscalls/levels/uring.test.ts holds this against the machine code. */
export const URING: Record<string, Convention> = {
  'linux-x64': {
    instruction: 'syscall',
    number: IO_URING_ENTER,
    code: 'b8aa0100000f05',
    disassembly: ['mov $0x1aa,%eax', 'syscall'],
    registers: {
      number: 'rax',
      arguments: ['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'],
      result: 'rax',
      clobbered: ['rcx', 'r11', 'memory'],
      error: 'rax from -4095 to -1 is -errno',
    },
  },
  'linux-arm64': {
    instruction: 'svc #0',
    number: IO_URING_ENTER,
    code: '483580d2010000d4',
    disassembly: ['mov x8, #0x1aa', 'svc #0x0'],
    registers: {
      number: 'x8',
      arguments: ['x0', 'x1', 'x2', 'x3', 'x4', 'x5'],
      result: 'x0',
      clobbered: ['memory'],
      error: 'x0 from -4095 to -1 is -errno',
    },
  },
};

const convention = URING[`${process.platform}-${process.arch}`];

/** https://docs.kernel.org/admin-guide/sysctl/kernel.html#io-uring-disabled */
function sysctl(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/io_uring_disabled', 'latin1').trim();
  } catch {
    return null; // before Linux 6.6
  }
}

function probe(): string | null {
  if (process.platform !== 'linux') return `io_uring is of Linux, and this is ${process.platform}`;
  if (!convention) return `no assembly for linux on ${process.arch} yet: native/arch/ has no file for it`;
  if (typeof addon === 'string') return addon;
  const { call, result } = addon.uring.probe();
  if (result === 0) return null;
  const code = osError(result)?.code;
  const answer = `${call} said ${code}`;
  if (code === 'ENOSYS') return `the kernel has no io_uring, or a seccomp filter hides it: ${answer}`;
  if (code === 'EPERM') {
    const disabled = sysctl();
    return disabled === null || disabled === '0'
      ? `a seccomp filter or a security module forbids io_uring: ${answer}`
      : `the sysctl kernel.io_uring_disabled is ${disabled}: ${answer}`;
  }
  return `io_uring cannot be used: ${answer}`;
}

export const uring: Level = onFirstUse(
  {
    id: 'uring',
    ...anatomyOf(convention, (of) => of.uring),
    seenBy: { strace: false, seccomp: false, ldPreload: false, ltrace: false },
    manPage: 'https://man7.org/linux/man-pages/man2/io_uring_enter.2.html',
  },
  (of) => of.uring.write,
  probe,
);
