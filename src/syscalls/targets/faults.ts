// The fault targets: descriptors in a known state, so that the kernel itself refuses each write of a
// byte or more to them, at every level alike and any number of times. Nothing is faked.
import { closeSync, constants, mkdtempSync, openSync, rmSync, writevSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checked } from '../bindings/errno.js';
import { lazy } from '../bindings/libc.js';
import { fcntl, kindOf, type Target } from './target.js';

const { O_CREAT, O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
/** What node:fs has no names for: asm-generic/fcntl.h, linux/fcntl.h, linux/memfd.h, sys/socket.h. */
const O_PATH = 0o10000000;
const F_SETFD = 2;
const F_SETFL = 4;
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

/** A descriptor to write to, and what must stay open behind it. */
type Made = { fd: number; held?: number };

function openPipe(): { reader: number; writer: number } {
  const ends = new Int32Array(2);
  checked(pipe(ends), 'pipe');
  const [reader, writer] = ends as unknown as [number, number];
  for (const fd of [reader, writer]) checked(fcntl(fd, F_SETFD, 'int', FD_CLOEXEC), 'fcntl');
  checked(fcntl(writer, F_SETFL, 'int', O_NONBLOCK), 'fcntl');
  return { reader, writer };
}

function openSocket(domain: number, type: number): number {
  const fd = checked(socket(domain, type, 0), 'socket');
  checked(fcntl(fd, F_SETFD, 'int', FD_CLOEXEC), 'fcntl');
  checked(fcntl(fd, F_SETFL, 'int', O_NONBLOCK), 'fcntl');
  return fd;
}

/** writev, not write, so that a trace of `write` begins with the first record: two buffers make libuv choose it. */
const writeTwo = (fd: number, size: number): number => writevSync(fd, [Buffer.alloc(size / 2), Buffer.alloc(size / 2)]);

/**
 * Of IPv6, which looks for the address first. IPv4 says EMSGSIZE to more than 65,535 bytes before it does (udp_sendmsg
 * in https://github.com/torvalds/linux/blob/v6.1/net/ipv4/udp.c); it is for kernels without IPv6.
 */
function openUdp(): number {
  try {
    return openSocket(AF_INET6, SOCK_DGRAM);
  } catch {
    return openSocket(AF_INET, SOCK_DGRAM);
  }
}

function fill(fd: number): void {
  for (const size of [1 << 16, 2]) {
    try {
      for (;;) writeTwo(fd, size);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

/** The largest offset that lseek takes: the file system's limit, at which each write is EFBIG (write(2)). */
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

/** A number above any that the kernel hands out; one merely kept closed would one day be somebody's socket. */
const NEVER_OPEN = 2_147_483_646;

/** name → the errno that each write gives, and how its descriptor is made. */
const FAULTS: Record<string, { expects: string; make: () => Made }> = {
  full: { expects: 'ENOSPC', make: () => ({ fd: openSync('/dev/full', O_WRONLY) }) },
  closed: { expects: 'EBADF', make: () => ({ fd: NEVER_OPEN }) },
  readonly: { expects: 'EBADF', make: () => ({ fd: openSync('/dev/null', O_RDONLY) }) },
  'path-only': { expects: 'EBADF', make: () => ({ fd: openSync('/dev/null', O_PATH) }) },
  'broken-pipe': {
    expects: 'EPIPE',
    make() {
      const { reader, writer } = openPipe();
      closeSync(reader);
      return { fd: writer };
    },
  },
  'stuck-pipe': {
    expects: 'EAGAIN',
    make() {
      const { reader, writer } = openPipe();
      fill(writer);
      return { fd: writer, held: reader };
    },
  },
  sealed: {
    expects: 'EPERM',
    make() {
      const fd = checked(memfdCreate('syswire-sealed', MFD_CLOEXEC | MFD_ALLOW_SEALING), 'memfd_create');
      checked(fcntl(fd, F_ADD_SEALS, 'int', F_SEAL_WRITE), 'fcntl');
      return { fd };
    },
  },
  'too-big': {
    expects: 'EFBIG',
    make() {
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
    make() {
      const fd = checked(epollCreate(EPOLL_CLOEXEC), 'epoll_create1');
      // Else io_uring would wait for room that an epoll descriptor never has, and not ask it.
      checked(fcntl(fd, F_SETFL, 'int', O_NONBLOCK), 'fcntl');
      return { fd };
    },
  },
  unaddressed: { expects: 'EDESTADDRREQ', make: () => ({ fd: openUdp() }) },
  unconnected: { expects: 'ENOTCONN', make: () => ({ fd: openSocket(AF_UNIX, SOCK_STREAM) }) },
  'hung-up': {
    expects: 'EIO',
    make() {
      const master = checked(openPty(O_RDWR | O_NOCTTY), 'posix_openpt');
      try {
        checked(grantPty(master), 'grantpt');
        checked(unlockPty(master), 'unlockpt');
        return { fd: openSync(ptyName(master), O_WRONLY | O_NOCTTY | O_NONBLOCK) };
      } finally {
        closeSync(master);
      }
    },
  },
};

/** The names of the fault targets, which no other target may take. */
export const FAULT_NAMES: readonly string[] = Object.keys(FAULTS);

/** Why a descriptor does not do what is expected of it; null when it does. */
function trial(fd: number, expects: string): string | null {
  try {
    writeTwo(fd, 2);
    return `a write to it succeeds here, where ${expects} was expected`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === expects ? null : `a write to it gives ${code} here, where ${expects} was expected`;
  }
}

function open(name: string, expects: string, make: () => Made): Target {
  const target: Target = { name, fd: -1, kind: 'none', shared: false, expects, reason: null, close: () => {} };
  let made: Made;
  try {
    made = make();
  } catch (error) {
    return { ...target, reason: `it cannot be made here: ${(error as Error).message}` };
  }
  const { fd, held } = made;
  const close = (): void => {
    for (const each of [fd, held]) if (each !== undefined && each !== NEVER_OPEN) closeSync(each);
  };
  return { ...target, fd, kind: kindOf(fd), reason: trial(fd, expects), close };
}

/** Makes them all, and tries each once. Those that do not give their errno here say why in `reason`. */
export function openFaults(): Target[] {
  return Object.entries(FAULTS).map(([name, { expects, make }]) => open(name, expects, make));
}
