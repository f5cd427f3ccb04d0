// A target: a name, a descriptor, and how it is kept from ever blocking the caller.
import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Kind } from '../../protocol/names.js';
import { checked } from '../bindings/errno.js';
import { lazy } from '../bindings/libc.js';

export type Target = {
  name: string;
  fd: number;
  kind: Kind;
  /** O_NONBLOCK was set on a file description that other processes may share; `close` takes it back. */
  shared: boolean;
  /** For a fault target, the errno that each write of a byte or more to it gives; else null. */
  expects: string | null;
  /** Why it cannot be written to here; null when it can. */
  reason: string | null;
  /** Puts back what was changed, and closes what was opened. */
  close: () => void;
};

const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;
const F_GETFL = 3;
const F_SETFL = 4;

const dup = lazy<(fd: number) => number>('int dup(int fd)');
const dup2 = lazy<(from: number, to: number) => number>('int dup2(int from, int to)');
/** fcntl(2) with a number for its third argument. */
export const fcntl = lazy<(fd: number, command: number, type: 'int', argument: number) => number>(
  'int fcntl(int fd, int command, ...)',
);

const getFlags = (fd: number): number => checked(fcntl(fd, F_GETFL, 'int', 0), 'fcntl');
const setFlags = (fd: number, flags: number): number => checked(fcntl(fd, F_SETFL, 'int', flags), 'fcntl');

/** What `fd` leads to. */
export function kindOf(fd: number): Kind {
  let stats: Stats;
  try {
    stats = fstatSync(fd);
  } catch {
    return 'none';
  }
  if (stats.isFile()) return 'file';
  if (stats.isFIFO()) return 'pipe';
  if (stats.isSocket()) return 'socket';
  if (stats.isCharacterDevice() || stats.isBlockDevice()) return isatty(fd) ? 'tty' : 'device';
  return 'other';
}

/**
 * A new file description of what `fd` names, non-blocking and put on the same number, so that
 * nobody who shares the old one is disturbed, and a trace names the descriptor that the record does.
 * https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html
 *
 * @returns what undoes it, or null where there is no such way: another user's pipe (EACCES), a
 *   socket (ENXIO), a system without /proc
 */
function reopen(fd: number): (() => void) | null {
  let fresh: number;
  try {
    fresh = openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return null;
  }
  const original = checked(dup(fd), 'dup');
  checked(dup2(fresh, fd), 'dup2');
  closeSync(fresh);
  return () => {
    dup2(original, fd);
    closeSync(original);
  };
}

/** O_NONBLOCK on the description itself, for everybody who shares it. @returns what undoes it. */
function setNonBlocking(fd: number): () => void {
  const flags = getFlags(fd);
  if (flags & O_NONBLOCK) return () => {};
  setFlags(fd, flags | O_NONBLOCK);
  return () => setFlags(fd, flags);
}

/**
 * Makes a target of a descriptor that is open already, such as standard output.
 *
 * @throws an error with `code` when the descriptor is not open
 */
export function adoptTarget(name: string, fd: number): Target {
  fstatSync(fd);
  const kind = kindOf(fd);
  const target: Target = { name, fd, kind, shared: false, expects: null, reason: null, close: () => {} };
  // A regular file never makes its writer wait, and a second description would lose its offset.
  const mayBlock = kind === 'pipe' || kind === 'tty' || kind === 'socket';
  if (process.platform === 'win32' || !mayBlock) return target;
  const undo = reopen(fd);
  return undo ? { ...target, close: undo } : { ...target, shared: true, close: setNonBlocking(fd) };
}

/**
 * Opens a path for writing. A regular file is created if need be and appended to; a FIFO or a device
 * is opened as it is, without blocking.
 *
 * @throws an error with `code`: ENXIO for a FIFO without a reader, EISDIR, EACCES …
 */
export function openTarget(name: string, path: string): Target {
  const stats = statSync(path, { throwIfNoEntry: false });
  // O_CREAT only where a file is to be made: on a FIFO that belongs to somebody else, in a sticky
  // folder such as /tmp, it is refused (fs.protected_fifos, proc_sys_fs(5)).
  const isFile = stats?.isFile() ?? true;
  let fd: number;
  try {
    fd = openSync(path, O_WRONLY | (isFile ? O_APPEND | O_CREAT : O_NONBLOCK | O_NOCTTY), 0o644);
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException;
    if (error.code === 'ENXIO' && stats?.isFIFO())
      error.message += `: a FIFO needs a reader first; start one (cat ${path}) and try again`;
    throw error;
  }
  return { name, fd, kind: kindOf(fd), shared: false, expects: null, reason: null, close: () => closeSync(fd) };
}
