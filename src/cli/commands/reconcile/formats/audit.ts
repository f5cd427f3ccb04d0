// The log of auditd, as it is written and as `ausearch` prints it.
import { NOT_SHOWN } from './bytes.js';
import type { Format, LineContent } from './format.js';
import { toDescriptor, toResult } from './integers.js';
import { isRestart, resultOf } from './results.js';

/**
 * The number of write by the architecture that a raw line names: each has a table of its own.
 *
 * @see https://github.com/torvalds/linux/blob/master/include/uapi/linux/audit.h
 */
const WRITE_NUMBERS: Record<string, string> = {
  c000003e: '1', // x86-64
  40000003: '4', // i386: int80
  c00000b7: '64', // arm64
  40000028: '4', // arm
  c00000f3: '64', // riscv64
  c0000102: '64', // loongarch64
  c0000015: '4', // ppc64le
  80000016: '4', // s390x
};

// Only `type=` may stand first, or the name of the machine, or what the kernel's own log has before it: lines of other
// types have text of the traced program.
const LINE = /^(?:node=\S+ |[^=]*\baudit: )?type=(?:SYSCALL|1300) (?:msg=)?audit\(([^)]*)\)\s?: (.*)/;
const EXIT = / exit=(?:(-?\d+)|(E[A-Z0-9]+)\b)/;
/** The separator of the names that the ENRICHED log format adds. */
const ENRICHED = '\u001d';

/** Returns the time of an event: seconds since 1970, or with `-i` local time in the order of the locale. */
function timeOf(stamp: string): number | undefined {
  const seconds = /^(\d+\.\d+):\d+$/.exec(stamp)?.[1];
  if (seconds !== undefined) return Number(seconds) * 1000;
  const [, first, separator, second, third, clock, fraction] =
    /^(\d+)([./-])(\d+)\2(\d+),? (\d\d:\d\d:\d\d)(\.\d+):\d+$/.exec(stamp) ?? [];
  if (clock === undefined) return undefined;
  const [one, two, three] = [first, second, third] as [string, string, string];
  // 12/01/26, 13/01/2026, 01.12.2026 and 2026-12-01. The clocks' difference is learned, so a wrong guess does no harm.
  const isDayFirst = separator === '.' || Number(one) > 12;
  const [year, month, day] = one.length === 4 ? [one, two, three] : isDayFirst ? [three, two, one] : [three, one, two];
  const date = `${year.padStart(4, '20')}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  const time = new Date(`${date}T${clock}`).getTime();
  return Number.isNaN(time) ? undefined : time + Number(fraction) * 1000;
}

/** @see https://man7.org/linux/man-pages/man8/auditd.8.html */
function read(line: string): LineContent {
  const [, stamp = '', all = ''] = LINE.exec(line) ?? [];
  if (all === '') return /^(?:node=\S+ )?type=SYSCALL\b/.test(line) ? 'unreadable' : null;
  const [fields = '', names = ''] = all.split(ENRICHED);
  const fieldOf = (name: string): string | undefined => new RegExp(`(?:^| )${name}=(\\S+)`).exec(fields)?.[1];
  const [arch, call] = [fieldOf('arch'), fieldOf('syscall')];
  if (arch === undefined || call === undefined) return 'unreadable';
  if (call !== 'write' && WRITE_NUMBERS[arch] !== call && !/\bSYSCALL=write\b/.test(names)) return null;

  const [, number, code] = EXIT.exec(fields) ?? [];
  const [descriptor, size] = ['a0', 'a2'].map((name) => /^(?:0x)?([\da-f]+)$/.exec(fieldOf(name) ?? '')?.[1]);
  const pid = fieldOf('pid');
  if ((number ?? code) === undefined || descriptor === undefined || size === undefined || pid === undefined)
    return 'unreadable';
  const result = number === undefined ? resultOf(undefined, code) : toResult(number);
  if (code?.startsWith('ERESTART')) return null;
  if (result === 'unreadable') return result;
  if (result !== undefined && isRestart(result)) return null;
  return {
    name: 'write',
    time: timeOf(stamp),
    pid: Number(pid),
    tid: undefined,
    fd: toDescriptor(`0x${descriptor}`),
    count: Number.parseInt(size, 16),
    result,
    ...NOT_SHOWN,
  };
}

export const audit: Format = {
  id: 'audit',
  title: 'auditd',
  recognises: (line) => /^(?:node=\S+ |[^=]*\baudit: )?type=[A-Z0-9_]+ (?:msg=)?audit\(/.test(line),
  reader: () => read,
  sees: { bytes: false, results: true, int80: true, uring: false, clock: 'epoch', ids: 'process' },
  command:
    'for arch in b64 b32; do auditctl -a always,exit -F arch=$arch -S write -F pid=PID; done; read; ausearch --raw -sc write > trace',
  basis: 'recorded live',
};
