// Waits until a descriptor has room for a write, without blocking the event loop: a worker thread calls libc's poll(2).
// https://man7.org/linux/man-pages/man2/poll.2.html
//
// Do not use koffi.node.poll: it aborts the process for a regular file, for /dev/null, for a closed descriptor, and for
// a second poll of the same descriptor. The abort cannot be caught.
import { setTimeout as sleep } from 'node:timers/promises';
import { bind } from '../bindings/libc.js';

/**
 * The longest time that one poll may occupy a worker thread, in ms. An abort is noticed after this time at the latest.
 * All waits share the time: libuv has four worker threads (https://docs.libuv.org/en/v1.x/threadpool.html), and four
 * long waits must not delay a fifth.
 */
const POLL_SLICE_MS = 250;
let waits = 0;
const POLLOUT = 4;
const BLIND_RETRY_MS = 10;

const bindPoll = () =>
  bind<(pollfd: Buffer, count: number, ms: number) => number>('int poll(void *fds, unsigned long count, int ms)');
let poll: ReturnType<typeof bindPoll> | undefined;

/** Makes a struct pollfd { int fd; short events; short revents; } in this machine's byte order: poll(2). */
function pollfd(fd: number): Buffer {
  const struct = new DataView(new ArrayBuffer(8));
  const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  struct.setInt32(0, fd, littleEndian);
  struct.setInt16(4, POLLOUT, littleEndian);
  return Buffer.from(struct.buffer);
}

/**
 * Waits until a write to `fd` would not block: there is room, or the write would fail.
 *
 * @param fd a descriptor
 * @param deadline the time to give up, in ms on performance.now()'s clock
 * @param signal gives up when aborted, after at most 250 ms
 *
 * Without koffi, and on Windows, there is no poll(2), and a write is worth a try every 10 ms.
 *
 * @returns true when a write would not block, or is worth a try; false after the deadline or an abort
 */
export async function waitForRoom(fd: number, deadline: number, signal: AbortSignal): Promise<boolean> {
  try {
    poll ??= bindPoll();
  } catch {
    await sleep(Math.min(BLIND_RETRY_MS, deadline - performance.now()), undefined, { signal }).catch(() => {});
    return performance.now() < deadline && !signal.aborted;
  }
  const { async: pollAsync } = poll;
  const struct = pollfd(fd);
  for (;;) {
    const remaining = deadline - performance.now();
    if (remaining <= 0 || signal.aborted) return false;
    waits += 1;
    const slice = Math.ceil(Math.min(remaining, POLL_SLICE_MS / waits));
    const ready = await new Promise<number>((resolve, reject) =>
      pollAsync(struct, 1, slice, (error, result) => (error ? reject(error) : resolve(result))),
    ).finally(() => {
      waits -= 1;
    });
    if (ready > 0) return !signal.aborted;
    // −1 is EINTR or ENOMEM, after which poll(2) may be retried. Wait a millisecond so that the loop does not spin.
    if (ready < 0) await sleep(1);
  }
}
