// The lines that docs/tracers/write.bt prints.
import { NOT_SHOWN, shown } from './bytes.js';
import type { Format, Reader } from './format.js';
import { isRestart } from './results.js';

const BPFTRACE =
  /^write time=(\d+\.\d+) pid=(\d+) tid=(\d+) fd=(-?\d+) count=(\d+) ret=(-?\d+) bytes=((?:[\da-f]{2} ?)*)$/;

/** Reads the output of docs/tracers/write.bt. */
function createReader(): Reader {
  return (line) => {
    const lost = /^Lost (\d+) events/.exec(line);
    if (lost) return { lost: Number(lost[1]) };
    const match = BPFTRACE.exec(line);
    if (!match) return line.startsWith('write ') ? 'unreadable' : null;
    const [, time, pid, tid, fd, count, result, hex = ''] = match;
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    if (isRestart(Number(result))) return null;
    return {
      name: 'write',
      time: Number(time) * 1000,
      pid: Number(pid),
      tid: Number(tid),
      fd: Number(fd) | 0,
      count: Number(count),
      result: Number(result),
      // bpftrace prints no bytes if it could not read them from memory.
      ...(bytes.length === 0 && count !== '0' ? NOT_SHOWN : shown(bytes, bytes.length < Number(count))),
    };
  };
}

export const bpftrace: Format = {
  id: 'bpftrace',
  title: 'bpftrace',
  recognises: (line) => /^Attaching \d+ probes?\.\.\.|^write time=/.test(line),
  reader: createReader,
  sees: { bytes: true, results: true, int80: false, uring: false, clock: 'epoch', ids: 'process and thread' },
  hidesInt80: 'does not pass the sys_enter_write tracepoint',
  command: 'bpftrace docs/tracers/write.bt PID > trace',
  basis: 'recorded live',
  isUnordered: true,
};
