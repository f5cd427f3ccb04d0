// The readers of traces, on lines that real tracers print.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatNamed } from '../../../../src/cli/commands/reconcile/formats/table.js';
import { type LineCase, testLines } from '../../../support/reconcile/line-cases.js';

const saw = (fd: number, count: number, result: number | undefined, text?: string, more: object = {}) => ({
  name: 'write',
  pid: undefined,
  fd,
  count,
  result,
  text,
  isWhole: text !== undefined,
  ...more,
});
const at = (time: number, tid: number | undefined = 12) => ({ time, tid });
const NO_TIME = { time: undefined, tid: 12 };

const LINES: LineCase[] = [
  [
    'strace',
    '12  1795471942.073803 write(18</tmp/o>, "h\\303\\251 \\"x\\" <y> \\\\\\n\\0001", 13) = 13',
    saw(18, 13, 13, 'hé "x" <y> \\\\\\n\\x001', at(1795471942073.803)),
  ],
  ['strace', '12 write(1, "\\x68\\x69\\x22", 3) = 3', saw(1, 3, 3, 'hi"', NO_TIME)],
  ['strace', '12 write(1, "", 0) = 0', saw(1, 0, 0, '', NO_TIME)],
  [
    'strace',
    '[pid    12] 00:00:01.5 write(1<a>, "b\\303"..., 9) = 4 <0.000012>',
    saw(1, 9, 4, 'b', { ...at(1500), isWhole: false }),
  ],
  [
    'strace',
    '12 write(7</dev/pts/0<char 136:0>>, "a, \\"b\\", 1) = 2", 12) = -1 EAGAIN (Resource temporarily unavailable) (INJECTED)',
    saw(7, 12, -11, 'a, "b", 1) = 2', NO_TIME),
  ],
  [
    'strace',
    'write(-1, NULL, 4294967295) = -1 EBADF (Bad file descriptor)',
    saw(-1, 4294967295, -9, undefined, { time: undefined, tid: undefined }),
  ],
  ['strace', '12 write(3, 0x7f00, 5) = -1 EFAULT (Bad address)', saw(3, 5, -14, undefined, NO_TIME)],
  ['strace', '12 write(3, "a", 1) = -1 ESTRPIPE (Streams pipe error)', saw(3, 1, -86, 'a', NO_TIME)],
  [
    'strace',
    '12 write(3, "abc", 3 <unfinished ...>\n13 write(9, "z", 1) = 1\n12 <... write resumed>) = 2',
    saw(3, 3, 2, 'abc', NO_TIME),
  ],
  ['strace', '12 write(3, "a", 1 <unfinished ...>) = ?', saw(3, 1, undefined, 'a', NO_TIME)],
  ['strace', '12 write(3, "a", 1) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)', null],
  ['strace', '12 +++ exited with 0 +++', null],
  ['strace', '12 pwrite64(3, "a", 1, 0) = 1', null],
  ['strace', '12 <... write resumed>) = 2', 'unreadable'],
  ['strace', '12 write(3, "a', 'unreadable'],
  [
    'strace',
    '12 1795471942.073803 io_uring_enter(25<anon_inode:[io_uring]>, 2, 1, IORING_ENTER_GETEVENTS, NULL, 0) = 2',
    saw(25, 2, 2, undefined, { ...at(1795471942073.803), name: 'io_uring_enter' }),
  ],
  [
    'strace',
    '12 io_uring_enter(25, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) = -1 EINTR (Interrupted system call) (INJECTED)',
    saw(25, 1, -4, undefined, { ...NO_TIME, name: 'io_uring_enter' }),
  ],
  [
    'strace',
    '12 io_uring_enter(25, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0 <unfinished ...>\n13 write(9, "z", 1) = 1\n12 <... io_uring_enter resumed>) = 1',
    saw(25, 1, 1, undefined, { ...NO_TIME, name: 'io_uring_enter' }),
  ],
  ['strace', '12 io_uring_enter(25, 1, 1, IORING_ENTER_GETEVENTS', 'unreadable'],
  ['strace', '12 --- SIGSYS {si_signo=SIGSYS, si_syscall=__NR_io_uring_enter, si_arch=AUDIT_ARCH_X86_64} ---', null],
  ['strace', '{"level":30}', 'foreign'],
  [
    'ndjson',
    '{"time":1795471942073.5,"pid":1,"tid":12,"syscall":"write","fd":1,"count":3,"ret":-28}',
    saw(1, 3, -28, undefined, { ...at(1795471942073.5), pid: 1 }),
  ],
  [
    'ndjson',
    '{"time":1795471942.5,"pid":1,"tid":12,"fd":1,"count":3,"ret":3,"bytes":"c3a921"}',
    saw(1, 3, 3, 'é!', { ...at(1795471942500), pid: 1 }),
  ],
  [
    'ndjson',
    '{"tid":12,"syscall":"io_uring_enter","fd":25,"count":2,"ret":2}',
    saw(25, 2, 2, undefined, { ...NO_TIME, name: 'io_uring_enter' }),
  ],
  ['ndjson', '{"syscall":"io_uring_enter","ring":25,"ret":2}', null],
  ['ndjson', '{"syscall":"writev","fd":1,"count":3,"ret":-28}', null],
  ['ndjson', '{"fd":1,"count":3,"ret":-512}', null],
  ['ndjson', 'null', 'foreign'],
  ['ndjson', '{"fd":1,', 'foreign'],
  [
    'bpftrace',
    'write time=1795471943.848599 pid=1 tid=12 fd=18 count=3 ret=3 bytes=68 c3 a9',
    saw(18, 3, 3, 'hé', { ...at(1795471943848.599), pid: 1 }),
  ],
  [
    'bpftrace',
    'write time=1795471943.848599 pid=1 tid=12 fd=18 count=0 ret=0 bytes=',
    saw(18, 0, 0, '', { ...at(1795471943848.599), pid: 1 }),
  ],
  [
    'bpftrace',
    'write time=1795471943.848599 pid=1 tid=12 fd=4294967295 count=3 ret=-14 bytes=',
    saw(-1, 3, -14, undefined, { ...at(1795471943848.599), pid: 1 }),
  ],
  [
    'bpftrace',
    '{"type": "printf", "data": "write time=1795471943.848599 pid=1 tid=12 fd=18 count=3 ret=3 bytes=68 c3 a9\\n"}',
    saw(18, 3, 3, 'hé', { ...at(1795471943848.599), pid: 1 }),
  ],
  ['bpftrace', '{"type": "attached_probes", "data": {"probes": 3}}', null],
  ['bpftrace', '{"type": "lost_events", "data": {"events": 12}}', { lost: 12 }],
  ['bpftrace', '{"type": "printf", "data": "write time=17', 'unreadable'],
  ['bpftrace', 'write time=1795471943.848599 pid=1 tid=12 fd=18 count=1 ret=1 bytes=68 c3', 'unreadable'],
  ['bpftrace', 'Lost 12 events', { lost: 12 }],
  ['bpftrace', 'Attaching 3 probes...', null],
  ['bpftrace', 'write time=1795471943.84', 'unreadable'],
  [
    'perf',
    '  node 12 [001]  6146.980: syscalls:sys_enter_write: fd: 0x00000014, buf: 0x7f, count: 0x00000003\n node 12 [001]  6146.981:  syscalls:sys_exit_write: 0xffffffffffffffe4',
    saw(20, 3, -28, undefined, at(6146980)),
  ],
  [
    'perf',
    '  my node 3 1/12  6146.980004000: syscalls:sys_enter_write: fd: 0xffffffff, buf: 0x7f, count: 0x3\n x 12 6146.981:  syscalls:sys_exit_write: 0x3',
    saw(-1, 3, 3, undefined, { ...at(6146980.004), pid: 1 }),
  ],
  [
    'perf',
    '  node 12 [001]  1.5: syscalls:sys_enter_write: fd: 0x12, buf: 0x7f00 (68:69:0a) "hi.", count: 3\n node 12 [001]  1.6:  syscalls:sys_exit_write: 3',
    saw(18, 3, 3, 'hi\\n', at(1500)),
  ],
  [
    'perf',
    '  node 12 [001]  1.5: syscalls:sys_enter_write: fd: 0x00000012, buf: 0x7f00 ({0x68,0x69}), count: 0x00000003\n node 12 [001]  1.6:  syscalls:sys_exit_write: 0x3',
    saw(18, 3, 3, 'hi', { ...at(1500), isWhole: false }),
  ],
  [
    'perf',
    '    16.675 ( 0.012 ms): node/12 write(fd: 18, buf: "a, count: 9) = 9\\10", count: 17)  = 17',
    saw(18, 17, 17, undefined, at(16.675)),
  ],
  ['perf', 'node 12 [1] 1.5: syscalls:sys_exit_write: 0x3', 'unreadable'],
  ['perf', '# hostname : vm', null],
  ['perf', 'LOST 7 events!', { lost: 7 }],
  [
    'perf',
    '    16.675 ( 0.012 ms): node/12 write(fd: 18</tmp/o>, buf: 0x7ffe, count: 22)          = 22',
    saw(18, 22, 22, undefined, at(16.675)),
  ],
  [
    'perf',
    '    16.698 ( 0.010 ms): node/12 write(fd: 19, buf: 0x7ffe, count: 3)    = -1 ENOSPC (No space left on device)',
    saw(19, 3, -28, undefined, at(16.698)),
  ],
  [
    'perf',
    '    1.0 (         ): node/12 write(fd: 19, buf: 0x7ffe, count: 3) ...\n    1.0 ( 0.010 ms): node/12  ... [continued]: write())      = 3',
    saw(19, 3, 3, undefined, at(1)),
  ],
  ['perf', '    1.0 ( 0.010 ms): node/12  ... [continued]: write())      = 3', 'unreadable'],
  ['perf', '    1.0 ( 0.010 ms): node/12 write(fd: 19, buf: 0x7f', 'unreadable'],
];

testLines(LINES);

test('the reader of perf takes a time of day as local time', () => {
  const read = formatNamed('perf').reader();
  read('node 12/12  2026-11-23 22:13:29.992372805 syscalls:sys_enter_write: fd: 0x1, buf: 0x7f, count: 0x3');
  const content = read('node 12/12  2026-11-23 22:13:29.992374327  syscalls:sys_exit_write: 0x3');
  const time = (content as { time: number }).time;
  assert.ok(Math.abs(time - (new Date(2026, 10, 23, 22, 13, 29).getTime() + 992.372805)) < 0.001, String(time));
});
