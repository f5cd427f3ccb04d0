// Level `int80`: the software interrupt by which 32-bit programs enter Linux (native/int80.cc). A 64-bit program can
// make it too; the kernel then treats the call as one of a 32-bit program.
// https://man7.org/linux/man-pages/man2/syscall.2.html
//
// Difference to `raw`: the bytes are first copied to memory below 4 GiB. If a message does not fit there, the result is
// −ENOMEM, which comes from mmap(2).
import { constants } from 'node:os';
import { addon } from '../bindings/addon.js';
import { minusErrno, osError } from '../bindings/errno.js';
import type { Convention, Level, Write } from '../contract.js';
import { anatomyOf, WRITE_MEANINGS } from './anatomy.js';
import { onFirstUse } from './on-first-use.js';

const { SIGSEGV, SIGSYS } = constants.signals;

/** Explains why a signal killed the probe's child process. */
function explainSignal(signal: number): string {
  // The kernel does not accept the interrupt: CONFIG_IA32_EMULATION is off, or its command line has ia32_emulation=0.
  // https://docs.kernel.org/admin-guide/kernel-parameters.html
  if (signal === SIGSEGV) return 'the kernel has no 32-bit emulation: int $0x80 ends in SIGSEGV';
  if (signal === SIGSYS) return 'a seccomp filter kills 32-bit system calls: int $0x80 ends in SIGSYS';
  const [name = signal] = Object.entries(constants.signals).find(([, number]) => number === signal) ?? [];
  return `int $0x80 ends in ${name}`;
}

/** Tries the interrupt. Returns the level's write, or the reason why it is not available. */
function open(): Write | string {
  if (!convention) return `int $0x80 exists on Linux x86-64 only; this is ${process.platform} on ${process.arch}`;
  if (typeof addon === 'string') return addon;
  const { call, result, signal } = addon.int80.probe();
  if (signal) return explainSignal(signal);
  if (call === 'int80' && result === minusErrno('EBADF')) return addon.int80.write;
  const answer = osError(result)?.code ?? result;
  if (call === 'int80')
    return `int $0x80 returns ${answer} instead of EBADF: a seccomp filter answers it, or this is not a Linux kernel`;
  return `int $0x80 could not be tried in a child process: ${call} failed with ${answer}`;
}

export const INT80: Record<string, Convention> = {
  'linux-x64': {
    instruction: 'int $0x80',
    number: 4,
    code: 'b804000000cd80',
    disassembly: ['mov $0x4,%eax', 'int $0x80'],
    registers: {
      number: 'eax',
      arguments: ['ebx', 'ecx', 'edx'],
      meanings: WRITE_MEANINGS,
      result: 'eax',
      clobbered: ['r8', 'r9', 'r10', 'r11', 'memory'],
      error: 'a value from -4095 to -1 in eax is -errno',
    },
  },
};

const convention = INT80[`${process.platform}-${process.arch}`];

export const int80: Level = onFirstUse(
  {
    id: 'int80',
    ...anatomyOf(convention, (addon) => addon.int80),
    seenBy: { strace: true, seccomp: true, ldPreload: false, ltrace: false },
    manPage: 'https://man7.org/linux/man-pages/man2/syscall.2.html',
  },
  open,
);
