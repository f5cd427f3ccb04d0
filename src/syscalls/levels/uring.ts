// Level `uring`: a write as an entry in a ring that the kernel reads (native/uring.cc). A tracer of system calls sees
// io_uring_enter, but no write. https://man7.org/linux/man-pages/man7/io_uring.7.html
//
// Differences to `raw`:
// - A write to a full pipe or socket without O_NONBLOCK returns −EAGAIN; `raw` waits. A write to an epoll descriptor
//   without O_NONBLOCK returns −EAGAIN; `raw` returns −EINVAL. (A terminal without O_NONBLOCK makes both wait.)
// - A write of zero bytes to a device whose driver has no write_iter, such as /dev/full, returns 0: the kernel does not
//   ask the driver.
// - A worker thread of the kernel writes to regular files, which takes about 100 µs.
import { readFileSync } from 'node:fs';
import { addon } from '../bindings/addon.js';
import { osError } from '../bindings/errno.js';
import type { Convention, Level, Write } from '../contract.js';
import { anatomyOf } from './anatomy.js';
import { onFirstUse } from './on-first-use.js';

/** The number of io_uring_enter(2), the same on every architecture: include/uapi/asm-generic/unistd.h. */
const IO_URING_ENTER = 426;
/** The meanings of its arguments: https://man7.org/linux/man-pages/man2/io_uring_enter.2.html */
const ENTER_MEANINGS = [
  "the ring's descriptor",
  'number of entries to submit',
  'number of completions to wait for',
  'flags',
  'address of a signal mask, or 0',
  'size of that mask',
];

/**
 * The instruction in native/arch/*-syscall.cc per platform. The tests in uring.test.ts and test/native/ compare this
 * table with the machine code.
 */
export const URING: Record<string, Convention> = {
  'linux-x64': {
    instruction: 'syscall',
    number: IO_URING_ENTER,
    code: 'b8aa0100000f05',
    disassembly: ['mov $0x1aa,%eax', 'syscall'],
    registers: {
      number: 'rax',
      arguments: ['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'],
      meanings: ENTER_MEANINGS,
      result: 'rax',
      clobbered: ['rcx', 'r11', 'memory'],
      error: 'a value from -4095 to -1 in rax is -errno',
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
      meanings: ENTER_MEANINGS,
      result: 'x0',
      clobbered: ['memory'],
      error: 'a value from -4095 to -1 in x0 is -errno',
    },
  },
};

const convention = URING[`${process.platform}-${process.arch}`];

/** https://docs.kernel.org/admin-guide/sysctl/kernel.html#io-uring-disabled */
function readDisabledSysctl(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/io_uring_disabled', 'latin1').trim();
  } catch {
    return null; // Linux before 6.6 does not have it
  }
}

/** Tries one write. Returns the level's write, or the reason why it is not available. */
function open(): Write | string {
  if (process.platform !== 'linux') return `io_uring exists on Linux only; this is ${process.platform}`;
  if (!convention) return `no assembly for linux on ${process.arch} yet: native/arch/ has no file for it`;
  if (typeof addon === 'string') return addon;
  const { call, result } = addon.uring.probe();
  if (result === 0) return addon.uring.write;
  const code = osError(result)?.code;
  const answer = `${call} failed with ${code}`;
  if (code === 'ENOSYS') return `the kernel has no io_uring, or a seccomp filter hides it: ${answer}`;
  if (code === 'EPERM') {
    const disabled = readDisabledSysctl();
    return disabled === null || disabled === '0'
      ? `a seccomp filter or a security module forbids io_uring: ${answer}`
      : `the sysctl kernel.io_uring_disabled is ${disabled}: ${answer}`;
  }
  return `io_uring cannot be used: ${answer}`;
}

export const uring: Level = onFirstUse(
  {
    id: 'uring',
    ...anatomyOf(convention, (addon) => addon.uring),
    seenBy: { strace: false, seccomp: false, ldPreload: false, ltrace: false },
    manPage: 'https://man7.org/linux/man-pages/man2/io_uring_enter.2.html',
  },
  open,
);
