// The names that every room knows. No zod here, so that the system call library can import this file alone.

/** The levels, in the order in which they are listed: from the instruction upwards. */
export const LEVEL_IDS = ['raw', 'int80', 'uring', 'os', 'std'] as const;
export type LevelId = (typeof LEVEL_IDS)[number];

/** What a descriptor leads to; `other`: an epoll or timer descriptor, `none`: nothing is open there. */
export const KINDS = ['file', 'pipe', 'tty', 'socket', 'device', 'other', 'none'] as const;
export type Kind = (typeof KINDS)[number];

/** What a target may be called. */
export const TARGET_NAME = /^[\w.-]{1,64}$/;
export const TARGET_NAME_IN_WORDS = '1 to 64 letters, digits, dots, dashes or underscores';
