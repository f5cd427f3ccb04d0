// The lines that docs/tracers/write.bt prints, as text or with `-f json`.
import { NOT_SHOWN, shown } from './bytes.js';
import type { Format, Reader } from './format.js';
import { isRestart } from './results.js';

const WRITE =
  /^write time=(\d+\.\d+) pid=(\d+) tid=(\d+) fd=(-?\d+) count=(\d+) ret=(-?\d+) bytes=((?:[\da-f]{2} ?)*)$/;
const LOST = /^(?:WARNING: )?Lost (\d+) events/;
// The kinds of lines of -f json. https://github.com/bpftrace/bpftrace/blob/master/docs/language.adoc
const JSON_LINE = /^\{"type": ?"(?:attached_probes|printf|lost_events|missed_events|map|time|value|runtime_error)"/;

/** Returns the line of text that a line of `-f json` stands for; undefined if it was cut. */
function unwrap(line: string): string | undefined {
  try {
    const { type, data } = JSON.parse(line);
    if (type === 'printf' && typeof data === 'string') return data.replace(/\n$/, '');
    const events = data?.events ?? data;
    return /^(?:lost|missed)_events$/.test(type) && typeof events === 'number' ? `Lost ${events} events` : '';
  } catch {
    return undefined;
  }
}

/** Reads the output of docs/tracers/write.bt. */
const createReader = (): Reader => (line) => {
  const text = line.startsWith('{') ? unwrap(line) : line;
  if (text === undefined) return 'unreadable';
  const lost = LOST.exec(text);
  if (lost) return { lost: Number(lost[1]) };
  const match = WRITE.exec(text);
  if (!match) return /\bwrite (?:time=|$)/.test(text) || text.startsWith('write ') ? 'unreadable' : null;
  const [, time, pid, tid, fd, count, result, hex = ''] = match;
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  // A line that lost its end, or took that of another one, has more bytes than the call.
  if (bytes.length > Number(count)) return 'unreadable';
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

export const bpftrace: Format = {
  id: 'bpftrace',
  title: 'bpftrace',
  recognises: (line) => /^Attach(?:ing|ed) \d+ probes?|^write time=/.test(line) || JSON_LINE.test(line),
  reader: createReader,
  sees: { bytes: true, results: true, int80: false, uring: false, clock: 'epoch', ids: 'process and thread' },
  hidesInt80: 'does not pass the sys_enter_write tracepoint',
  command: 'bpftrace docs/tracers/write.bt PID > trace',
  basis: 'recorded live',
  isUnordered: true,
};
