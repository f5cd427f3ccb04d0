// The fault targets: descriptors in a known state, so that the kernel itself refuses every write of one byte or more,
// at every level, with a known errno.
import { closeSync, constants, mkdtempSync, openSync, rmSync, writevSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { orThrow } from '../bindings/errno.js';
import { lazy } from '../bindings/libc.js';
import { F_SETFL, fcntl, kindOf, type Target } from './target.js';

const { O_CREAT, O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
/** Constants that node:fs does not have: asm-generic/fcntl.h, linux/fcntl.h, linux/memfd.h, sys/socket.h. */
const O_PATH = 0o10000000;
const F_SETFD = 2;
const F_ADD_SEALS = 1033;
const FD_CLOEXEC = 1;
const F_SEAL_WRITE = 8;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const EPOLL_CLOEXEC = 0o2000000;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SEEK_SET = 0;

const pipe = lazy<(ends: Int32Array) => number>('int pipe(_Out_ int *ends)');
const socket = lazy<(domain: number, type: number, protocol: number) => number>(
  'int socket(int domain, int type, int protocol)',
);
const memfdCreate = lazy<(name: string, flags: number) => number>(
  'int memfd_create(const char *name, unsigned int flags)',
);
const epollCreate = lazy<(flags: number) => number>('int epoll_create1(int flags)');
const lseek = lazy<(fd: number, offset: bigint, whence: number) => number | bigint>(
  'int64_t lseek(int fd, int64_t offset, int whence)',
);
const openPty = lazy<(flags: number) => number>('int posix_openpt(int flags)');
const unlockPty = lazy<(fd: number) => number>('int unlockpt(int fd)');
const grantPty = lazy<(fd: number) => number>('int grantpt(int fd)');
const ptyName = lazy<(fd: number) => string>('char *ptsname(int fd)');

/** The descriptor to write to. `reader`, the other end of its pipe, has to stay open. */
type Opened = { fd: number; reader?: number };

function openPipe(): { reader: number; writer: number } {
  const ends = new Int32Array(2);
  orThrow(pipe(ends), 'pipe');
  const [reader, writer] = ends as unknown as [number, number];
  for (const fd of [reader, writer]) orThrow(fcntl(fd, F_SETFD, 'int', FD_CLOEXEC), 'fcntl');
  orThrow(fcntl(writer, F_SETFL, 'int', O_NONBLOCK), 'fcntl');
  return { reader, writer };
}

function openSocket(domain: number, type: number): number {
  const fd = orThrow(socket(domain, type, 0), 'socket');
  orThrow(fcntl(fd, F_SETFD, 'int', FD_CLOEXEC), 'fcntl');
  orThrow(fcntl(fd, F_SETFL, 'int', O_NONBLOCK), 'fcntl');
  return fd;
}

/** Writes with writev(2), so that a trace of write(2) does not show it. libuv calls writev for two or more buffers. */
const writeTwo = (fd: number, size: number): number => writevSync(fd, [Buffer.alloc(size / 2), Buffer.alloc(size / 2)]);

/**
 * Opens a UDP socket without an address: of IPv6, or of IPv4 on a kernel without IPv6. IPv6 checks for the address
 * first. IPv4 checks the length first, and refuses more than 65,535 bytes with EMSGSIZE: udp_sendmsg in
 * https://github.com/torvalds/linux/blob/v6.1/net/ipv4/udp.c
 */
function openUdp(): number {
  try {
    return openSocket(AF_INET6, SOCK_DGRAM);
  } catch {
    return openSocket(AF_INET, SOCK_DGRAM);
  }
}

/** Fills a pipe to the last byte. */
function fill(fd: number): void {
  for (const size of [1 << 16, 2]) {
    try {
      for (;;) writeTwo(fd, size);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

/**
 * Seeks to the largest offset that lseek(2) accepts: the file system's limit, where every write is EFBIG (write(2)).
 */
function seekToLimit(fd: number): void {
  let low = 0n;
  let high = 1n << 63n;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (BigInt(lseek(fd, middle, SEEK_SET)) === middle) low = middle;
    else high = middle;
  }
  lseek(fd, low, SEEK_SET);
}

/**
 * A number that the kernel never assigns to a descriptor. A smaller, closed one could be assigned to a socket later.
 */
const NEVER_OPEN = 2_147_483_646;

/** By name: the errno of every write, and a function that opens the descriptor. */
const FAULTS: Record<string, { expects: string; open: () => Opened }> = {
  full: { expects: 'ENOSPC', open: () => ({ fd: openSync('/dev/full', O_WRONLY) }) },
  closed: { expects: 'EBADF', open: () => ({ fd: NEVER_OPEN }) },
  readonly: { expects: 'EBADF', open: () => ({ fd: openSync('/dev/null', O_RDONLY) }) },
  'path-only': { expects: 'EBADF', open: () => ({ fd: openSync('/dev/null', O_PATH) }) },
  'broken-pipe': {
    expects: 'EPIPE',
    open() {
      const { reader, writer } = openPipe();
      closeSync(reader);
      return { fd: writer };
    },
  },
  'stuck-pipe': {
    expects: 'EAGAIN',
    open() {
      const { reader, writer } = openPipe();
      fill(writer);
      return { fd: writer, reader };
    },
  },
  sealed: {
    expects: 'EPERM',
    open() {
      const fd = orThrow(memfdCreate('syswire-sealed', MFD_CLOEXEC | MFD_ALLOW_SEALING), 'memfd_create');
      orThrow(fcntl(fd, F_ADD_SEALS, 'int', F_SEAL_WRITE), 'fcntl');
      return { fd };
    },
  },
  'too-big': {
    expects: 'EFBIG',
    open() {
      const folder = mkdtempSync(path.join(tmpdir(), 'syswire-'));
      try {
        const fd = openSync(path.join(folder, 'too-big'), O_WRONLY | O_CREAT, 0o600);
        seekToLimit(fd);
        return { fd };
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  },
  unsuitable: {
    expects: 'EINVAL',
    open() {
      const fd = orThrow(epollCreate(EPOLL_CLOEXEC), 'epoll_create1');
      // Without O_NONBLOCK, io_uring would wait until the epoll descriptor is writable, which it never is.
      orThrow(fcntl(fd, F_SETFL, 'int', O_NONBLOCK), 'fcntl');
      return { fd };
    },
  },
  unaddressed: { expects: 'EDESTADDRREQ', open: () => ({ fd: openUdp() }) },
  unconnected: { expects: 'ENOTCONN', open: () => ({ fd: openSocket(AF_UNIX, SOCK_STREAM) }) },
  'hung-up': {
    expects: 'EIO',
    open() {
      const master = orThrow(openPty(O_RDWR | O_NOCTTY), 'posix_openpt');
      try {
        orThrow(grantPty(master), 'grantpt');
        orThrow(unlockPty(master), 'unlockpt');
        return { fd: openSync(ptyName(master), O_WRONLY | O_NOCTTY | O_NONBLOCK) };
      } finally {
        closeSync(master);
      }
    },
  },
};

/** The names of the fault targets. No other target may have one of them. */
export const FAULT_NAMES: readonly string[] = Object.keys(FAULTS);

/** Writes to a fault target once. @returns why it is not usable on this machine; null if it gives the expected errno */
function findMismatch(fd: number, expects: string): string | null {
  try {
    writeTwo(fd, 2);
    return `a write to it should fail with ${expects}, but succeeds on this machine`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === expects
      ? null
      : `a write to it should fail with ${expects}, but fails with ${code} on this machine`;
  }
}

/**
 * Opens a fault target, and writes to it once. If it cannot be opened, or does not give its errno on this machine, it
 * has a `reason`.
 *
 * @param name one of FAULT_NAMES
 */
export function openFault(name: string): Target {
  const { expects, open } = FAULTS[name] as (typeof FAULTS)[string];
  const target: Target = { name, fd: -1, kind: 'none', shared: false, expects, reason: null, close: () => {} };
  let opened: Opened;
  try {
    opened = open();
  } catch (error) {
    return { ...target, reason: `it could not be opened: ${(error as Error).message}` };
  }
  const { fd, reader } = opened;
  const close = (): void => {
    for (const each of [fd, reader]) if (each !== undefined && each !== NEVER_OPEN) closeSync(each);
  };
  return { ...target, fd, kind: kindOf(fd), reason: findMismatch(fd, expects), close };
}

/** Opens every fault target. */
export const openFaults = (): Target[] => FAULT_NAMES.map(openFault);
