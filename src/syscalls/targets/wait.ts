// Waiting until a descriptor can take more, off the event loop: libc's poll(2) on a worker thread.
// https://man7.org/linux/man-pages/man2/poll.2.html
//
// Not koffi.node.poll: it aborts the process, uncatchably, on regular files, on /dev/null, on a
// closed descriptor and on a second poll of the same one.
import { setTimeout as sleep } from 'node:timers/promises';
import { bind } from '../bindings/libc.js';

/**
 * How long one poll may keep a worker thread, in ms; also how soon an abort is noticed. Shared by all
 * that wait: libuv has four such threads, and a fifth wait must not be held up by four that last.
 */
const SLICE_MS = 250;
let waiting = 0;
const POLLOUT = 4;

const bindPoll = () =>
  bind<(pollfd: Buffer, count: number, ms: number) => number>('int poll(void *fds, unsigned long count, int ms)');
let poll: ReturnType<typeof bindPoll> | undefined;

/** struct pollfd { int fd; short events; short revents; }, in this machine's byte order. */
function pollfd(fd: number): Buffer {
  const struct = new DataView(new ArrayBuffer(8));
  const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  struct.setInt32(0, fd, littleEndian);
  struct.setInt16(4, POLLOUT, littleEndian);
  return Buffer.from(struct.buffer);
}

/**
 * Waits until a write to `fd` would do something: there is room, or an error to be told of.
 *
 * @param fd a descriptor
 * @param deadline when to give up, on performance.now()'s clock
 * @param signal gives up early, within a slice
 * @returns true when there is something to do, false when time is up or `signal` came
 */
export async function waitForRoom(fd: number, deadline: number, signal: AbortSignal): Promise<boolean> {
  if (process.platform === 'win32') return false; // WriteFile waits by itself: there is no EAGAIN
  poll ??= bindPoll();
  const { async: pollAsync } = poll;
  const struct = pollfd(fd);
  for (;;) {
    const left = deadline - performance.now();
    if (left <= 0 || signal.aborted) return false;
    waiting += 1;
    const slice = Math.ceil(Math.min(left, SLICE_MS / waiting));
    const ready = await new Promise<number>((resolve, reject) =>
      pollAsync(struct, 1, slice, (error, result) => (error ? reject(error) : resolve(result))),
    ).finally(() => {
      waiting -= 1;
    });
    if (ready > 0) return !signal.aborted;
    // −1 is EINTR or a lack of memory: poll(2) asks for another try, and none should spin.
    if (ready < 0) await sleep(1);
  }
}
