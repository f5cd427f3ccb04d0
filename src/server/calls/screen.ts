// The terminal of the log, when targets write to it too: a log line must not begin behind a message that has no line
// feed at its end.
import { fstatSync, statSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Target } from '../../syscalls/targets/target.js';

export type Screen = {
  /** The number of the terminal's device: https://man7.org/linux/man-pages/man3/stat.3type.html */
  device: number;
  /** True if the last bytes that a target or another program left there do not end with a line feed. */
  isMidLine: boolean;
};

const LINE_FEED = 0x0a;
/** The name of every process's own terminal: https://man7.org/linux/man-pages/man4/tty.4.html */
const OWN_TERMINAL = '/dev/tty';

/** @returns undefined if the descriptor is not a terminal */
export const openScreen = (fd: number): Screen | undefined =>
  isatty(fd) ? { device: fstatSync(fd).rdev, isMidLine: false } : undefined;

/** Returns true if a target writes to the screen. */
export function isOn(screen: Screen, { kind, fd }: Target): boolean {
  if (kind !== 'tty') return false;
  const device = fstatSync(fd).rdev;
  // A descriptor of /dev/tty has that device's number, not the terminal's. The log's terminal is nearly always the own
  // one; where it is not, a log line has an empty line before it.
  return device === screen.device || device === statSync(OWN_TERMINAL, { throwIfNoEntry: false })?.rdev;
}

/** @param result the number of bytes that the operating system took. A library that intercepts the call may return more */
export const endsMidLine = (bytes: Uint8Array, result: number): boolean =>
  bytes[Math.min(result, bytes.length) - 1] !== LINE_FEED;
