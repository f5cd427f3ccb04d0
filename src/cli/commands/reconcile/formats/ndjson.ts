// One JSON object a line: the format that any tracer can be made to write.
import { NOT_SHOWN, shown } from './bytes.js';
import { ENTER, type Format, type Reader } from './format.js';
import { isRestart } from './results.js';

/** Returns milliseconds since 1970 for a time in seconds, milliseconds, microseconds or nanoseconds. */
function toMs(time: number): number {
  const steps = [1e11, 1e14, 1e17].filter((bound) => time >= bound).length;
  return (time * 1000) / 1000 ** steps;
}

/** Reads one object a line, as docs/tracers/README.md describes it. */
function createReader(): Reader {
  const isNumber = (value: unknown): value is number => typeof value === 'number';
  return (line) => {
    let value: Record<string, unknown>;
    try {
      value = JSON.parse(line);
    } catch {
      return 'foreign';
    }
    if (value === null || typeof value !== 'object') return 'foreign';
    const { time, pid, tid, syscall = 'write', fd, count, ret, bytes } = value;
    if (syscall !== 'write' && syscall !== ENTER) return null;
    // An io_uring_enter may come from an older exporter, which knew that it is ignored.
    if (!isNumber(fd) || !isNumber(count) || !isNumber(ret)) return syscall === ENTER ? null : 'foreign';
    const hex = typeof bytes === 'string' ? Buffer.from(bytes, 'hex') : undefined;
    return isRestart(ret)
      ? null
      : {
          name: syscall,
          time: isNumber(time) ? toMs(time) : undefined,
          pid: isNumber(pid) ? pid : undefined,
          tid: isNumber(tid) ? tid : undefined,
          fd,
          count,
          result: ret,
          ...(hex ? shown(hex, hex.length < count) : NOT_SHOWN),
        };
  };
}

export const ndjson: Format = {
  id: 'ndjson',
  title: 'NDJSON',
  recognises: (line) => line.startsWith('{'),
  reader: createReader,
  sees: { bytes: true, results: true, int80: true, uring: true, clock: 'epoch', ids: 'process and thread' },
  enters: 'write its io_uring_enter into the trace too',
  command: 'your own exporter',
  basis: 'recorded live',
  isStrict: true,
};
