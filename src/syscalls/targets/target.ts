// A target: a descriptor with a name, which never blocks its writer.
import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Kind } from '../../protocol/names.js';
import { orThrow } from '../bindings/errno.js';
import { lazy } from '../bindings/libc.js';
import { ignoreSigttou } from './job-control.js';
import { neverWaiting, pipeOrSocket, SOCKET_REASON } from './target-win32.js';

export type Target = {
  name: string;
  fd: number;
  kind: Kind;
  /**
   * True if O_NONBLOCK was set on a file description that other processes may share, or on Windows PIPE_NOWAIT on such
   * an end of a pipe; `close` resets it.
   */
  shared: boolean;
  /** For a fault target, the errno of every write of one byte or more: `ENOSPC`; else null. */
  expects: string | null;
  /** Why the target is not available on this machine; null when it is. */
  reason: string | null;
  /** Restores an adopted descriptor; closes descriptors that were opened for the target. */
  close: () => void;
};

const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const O_ACCMODE = O_WRONLY | O_RDWR;
const F_GETFL = 3;
export const F_SETFL = 4;

const dup = lazy<(fd: number) => number>('int dup(int fd)');
const dup2 = lazy<(from: number, to: number) => number>('int dup2(int from, int to)');
/** fcntl(2), for commands whose third argument is a number. */
export const fcntl = lazy<(fd: number, command: number, type: 'int', argument: number) => number>(
  'int fcntl(int fd, int command, ...)',
);

const isWindows = process.platform === 'win32';

const getFlags = (fd: number): number => orThrow(fcntl(fd, F_GETFL, 'int', 0), 'fcntl');
const setFlags = (fd: number, flags: number): number => orThrow(fcntl(fd, F_SETFL, 'int', flags), 'fcntl');

/** Returns what `fd` refers to: `none` when it is not open. */
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
  return (isWindows && pipeOrSocket(fd, stats.mode)) || 'other';
}

/**
 * Replaces the file description behind `fd` with a new, non-blocking one of the same file. Other processes that share
 * the old description do not become non-blocking. `fd` keeps its number, so that traces and records have the same one.
 * https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html
 *
 * The new description has the access mode and the status flags of the old one. Without them a pipe's read end would
 * become writable, and a pipe in packet mode (O_DIRECT, pipe(2)) would join its messages.
 *
 * @returns a function that restores the old description; null where the file cannot be reopened: another user's pipe
 *   (EACCES), a socket (ENXIO), a system without /proc
 */
function reopen(fd: number, flags: number): (() => void) | null {
  let reopened: number | undefined;
  try {
    reopened = openSync(`/proc/self/fd/${fd}`, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY);
    // open(2) refuses O_DIRECT for a pipe; fcntl(2) does not.
    setFlags(reopened, flags | O_NONBLOCK);
  } catch {
    if (reopened !== undefined) closeSync(reopened);
    return null;
  }
  const original = orThrow(dup(fd), 'dup');
  orThrow(dup2(reopened, fd), 'dup2');
  closeSync(reopened);
  return () => {
    dup2(original, fd);
    closeSync(original);
  };
}

/**
 * Sets O_NONBLOCK on the file description of `fd`, also for other processes that share it.
 *
 * @returns a function that resets it
 */
function setNonBlocking(fd: number, flags: number): () => void {
  if (flags & O_NONBLOCK) return () => {};
  setFlags(fd, flags | O_NONBLOCK);
  return () => setFlags(fd, flags);
}

/** Keeps a target from blocking the service, or gives it the reason why that cannot be done. */
function protectOnWindows(target: Target): Target {
  if (target.kind === 'pipe') return neverWaiting(target);
  return target.kind === 'socket' ? { ...target, reason: SOCKET_REASON } : target;
}

/**
 * Makes a target of a descriptor that is already open, such as standard output.
 *
 * @throws an error with `code` EBADF when the descriptor is not open
 */
export function adoptTarget(name: string, fd: number): Target {
  fstatSync(fd);
  const kind = kindOf(fd);
  const target: Target = { name, fd, kind, shared: false, expects: null, reason: null, close: () => {} };
  // Not for a regular file: it never blocks its writer, and a new description would not share its offset.
  const mayBlock = kind === 'pipe' || kind === 'tty' || kind === 'socket';
  if (isWindows) return protectOnWindows(target);
  if (!mayBlock) return target;
  let flags: number;
  try {
    flags = getFlags(fd);
  } catch (error) {
    return { ...target, reason: `it cannot be kept from blocking the service: ${(error as Error).message}` };
  }
  // The kernel refuses every write to a descriptor that was opened for reading.
  if ((flags & O_ACCMODE) === O_RDONLY) return target;
  const unignore = kind === 'tty' ? ignoreSigttou() : (): void => {};
  const reopened = reopen(fd, flags);
  const restore = reopened ?? setNonBlocking(fd, flags);
  return {
    ...target,
    shared: reopened === null,
    close() {
      restore();
      unignore();
    },
  };
}

/**
 * Opens a path for writing. A regular file is created if it does not exist, for its owner only, and appended to. A FIFO
 * or a device is opened without blocking.
 *
 * @throws an error with `code`: ENXIO for a FIFO without a reader, EISDIR for a folder, and others of open(2)
 */
export function openTarget(name: string, path: string): Target {
  const stats = statSync(path, { throwIfNoEntry: false });
  // O_CREAT only for a regular file. With it, the kernel refuses another user's FIFO in a sticky folder such as /tmp:
  // fs.protected_fifos in proc_sys_fs(5).
  const isFile = stats?.isFile() ?? true;
  let fd: number;
  try {
    fd = openSync(path, O_WRONLY | (isFile ? O_APPEND | O_CREAT : O_NONBLOCK | O_NOCTTY), 0o600);
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException;
    if (error.code === 'ENXIO' && stats?.isFIFO())
      error.message += `: a FIFO needs a reader first; start one (cat ${path}) and try again`;
    throw error;
  }
  const kind = kindOf(fd);
  const unignore = kind === 'tty' ? ignoreSigttou() : (): void => {};
  const target: Target = {
    name,
    fd,
    kind,
    shared: false,
    expects: null,
    reason: null,
    close() {
      closeSync(fd);
      unignore();
    },
  };
  return isWindows ? protectOnWindows(target) : target;
}
