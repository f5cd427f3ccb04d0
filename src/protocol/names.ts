// The names that the whole project uses. This file does not import zod, so that src/syscalls can import it.

/** The levels, from the instruction to the standard library. Lists have this order. */
export const LEVEL_IDS = ['raw', 'int80', 'uring', 'os', 'std'] as const;
export type LevelId = (typeof LEVEL_IDS)[number];

/**
 * The kinds of file behind a descriptor. `other`: an epoll or timer descriptor, for example. `none`: it is not open.
 */
export const KINDS = ['file', 'pipe', 'tty', 'socket', 'device', 'other', 'none'] as const;
export type Kind = (typeof KINDS)[number];

/** The names that a target may have. */
export const TARGET_NAME = /^[\w.-]{1,64}$/;
export const TARGET_NAME_IN_WORDS = '1 to 64 letters, digits, dots, dashes or underscores';
