// The names that the whole project uses. This file does not import zod, so that src/syscalls can import it.

/** The levels, from the instruction to the standard library. Lists have this order. */
export const LEVEL_IDS = ['raw', 'int80', 'uring', 'os', 'std'] as const;
export type LevelId = (typeof LEVEL_IDS)[number];

/** A plain description of each level in one line, and the address of its manual. */
export const LEVELS_IN_WORDS: Record<LevelId, { is: string; manual: string }> = {
  raw: {
    is: "syswire's own instruction that enters the kernel, with no library in between",
    manual: 'https://man7.org/linux/man-pages/man2/syscall.2.html',
  },
  int80: {
    is: 'int 0x80, the software interrupt by which 32-bit programs enter the kernel (Linux on x86-64)',
    manual: 'https://man7.org/linux/man-pages/man2/syscall.2.html',
  },
  uring: {
    is: 'an entry in an io_uring, a queue that the program and the kernel share: no write call is made (Linux)',
    manual: 'https://man7.org/linux/man-pages/man7/io_uring.7.html',
  },
  os: {
    is: "the operating system's own function: libc's write; on Windows, WriteFile or WriteConsoleW of kernel32",
    manual: 'https://man7.org/linux/man-pages/man2/write.2.html',
  },
  std: {
    is: "Node's standard library: fs.writeSync, which calls libuv, which calls libc",
    manual: 'https://nodejs.org/api/fs.html#fswritesyncfd-buffer-offset-length-position',
  },
};

/**
 * The kinds of file behind a descriptor. `other`: an epoll or timer descriptor, for example. `none`: it is not open.
 */
export const KINDS = ['file', 'pipe', 'tty', 'socket', 'device', 'other', 'none'] as const;
export type Kind = (typeof KINDS)[number];

/** The names that a target may have. */
export const TARGET_NAME = /^[\w.-]{1,64}$/;
export const TARGET_NAME_IN_WORDS = '1 to 64 letters, digits, dots, dashes or underscores';
