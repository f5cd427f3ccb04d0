// Helpers for descriptors: make a pair of sockets, read flags, count the open descriptors of a process.
import { closeSync, constants, readdirSync, readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { bind } from '../../src/syscalls/bindings/libc.js';

const socketpair = bind<(domain: number, type: number, protocol: number, pair: Int32Array) => number>(
  'int socketpair(int domain, int type, int protocol, void *pair)',
);
const AF_UNIX = 1;
const SOCK_STREAM = 1;

/** Makes two connected sockets: https://man7.org/linux/man-pages/man2/socketpair.2.html */
export function socketPair(t: TestContext): [number, number] {
  const pair = new Int32Array(2);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) !== 0) throw new Error('socketpair');
  t.after(() => pair.forEach((fd) => void closeSync(fd)));
  return [pair[0] as number, pair[1] as number];
}

const O_CLOEXEC = 0o2000000;

/** Returns a descriptor's access mode and status flags: https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html */
export function flagsOf(fd: number, pid: number | 'self' | undefined = 'self'): number {
  const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '';
  return Number.parseInt(flags, 8) & ~O_CLOEXEC;
}

export const isNonBlocking = (fd: number, pid?: number): boolean => (flagsOf(fd, pid) & constants.O_NONBLOCK) !== 0;

/** Counts the open descriptors and the threads of a process. */
export const openIn = (pid: number): { descriptors: number; threads: number } => ({
  descriptors: readdirSync(`/proc/${pid}/fd`).length,
  threads: readdirSync(`/proc/${pid}/task`).length,
});
