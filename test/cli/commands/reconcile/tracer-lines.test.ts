// The lines of tracers other than strace, bpftrace and perf, one at a time: what is read, and what must not be read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatNamed, formatOf } from '../../../../src/cli/commands/reconcile/formats/table.js';
import { type LineCase, testLines } from '../../../support/reconcile/line-cases.js';

type Saw = { fd: number; count: number; result: number | undefined; text?: string; cut?: true; more?: object };

const saw = ({ fd, count, result, text, cut, more }: Saw): object => ({
  ...{ name: 'write', time: undefined, pid: undefined, tid: undefined, fd, count, result, text },
  isWhole: text !== undefined && !cut,
  ...more,
});
const RUNSC = 'I1201 00:00:01.500000   22222 strace.go:567] [   5:  12] node';
const RUNSC_IDS = { time: 334 * 86_400_000 + 1500, pid: 5, tid: 12 };
const SYSCALL = 'type=SYSCALL msg=audit(1795697685.490:66): arch=';
const AUDITED = { time: 1795697685490, pid: 10532 };
const KERNEL = 'node-12 [001] ..... 7362.000571: ';

const LINES: LineCase[] = [
  // ftrace and trace-cmd
  [
    'ftrace',
    'node-10475 [001] ..... 7362.000571: sys_write(fd: 0x12, buf: 0x1a4d1e28, count: 6)\nnode-10475 [001] ..... 7362.000580: sys_write -> 0x6',
    saw({ fd: 18, count: 6, result: 6, more: { time: 7362000.571, tid: 10475 } }),
  ],
  [
    'ftrace',
    `${KERNEL}sys_write(fd: 0xffffffff, buf: 0, count: 0x10)\n${KERNEL}sys_write -> 0xfffffffffffffff7`,
    saw({ fd: -1, count: 16, result: -9, more: { time: 7362000.571, tid: 12 } }),
  ],
  [
    'ftrace',
    `a b-3 c-12 (     11) [001] d..2. 1.5: sys_write(fd: 3, buf: 0x7f (68:69:00), count: 3)\n${KERNEL}sys_write -> 0x3`,
    saw({ fd: 3, count: 3, result: 3, text: 'hi\\x00', more: { time: 1500, pid: 11, tid: 12 } }),
  ],
  [
    'ftrace',
    `${KERNEL}sys_write(fd: 3, buf: 0x7f (68:69), count: 9)\n${KERNEL}sys_write -> 0x9`,
    saw({ fd: 3, count: 9, result: 9, text: 'hi', cut: true, more: { time: 7362000.571, tid: 12 } }),
  ],
  [
    'ftrace',
    `${KERNEL}sys_write(fd: 3, buf: 0x7f "fd: 9, count: 8", count: 15)\n${KERNEL}sys_write -> 0xf`,
    saw({ fd: 3, count: 15, result: 15, more: { time: 7362000.571, tid: 12 } }),
  ],
  [
    'ftrace',
    `node-12 [001] ..... 123456: sys_write(fd: 3, buf: 0x7f, count: 3)\n${KERNEL}sys_write -> 0x3`,
    saw({ fd: 3, count: 3, result: 3, more: { tid: 12 } }),
  ],
  [
    'ftrace',
    `${KERNEL}sys_write(fd: 3, buf: 0x7f, count: 3)\nx-13 [000] 2.0: sys_write -> 0x3\n${KERNEL}sys_write -> 0x3`,
    saw({ fd: 3, count: 3, result: 3, more: { time: 7362000.571, tid: 12 } }),
  ],
  [
    'ftrace',
    `${KERNEL}sys_io_uring_enter(fd: 0x19, to_submit: 2, min_complete: 2, flags: 1, argp: 0, argsz: 0)\n${KERNEL}sys_io_uring_enter -> 0x2`,
    saw({ fd: 25, count: 2, result: 2, more: { name: 'io_uring_enter', time: 7362000.571, tid: 12 } }),
  ],
  ['ftrace', `${KERNEL}sys_write(fd: 3, buf: 0x7f, count: 3)\n${KERNEL}sys_write -> 0xfffffffffffffe00`, null],
  ['ftrace', `${KERNEL}sys_write(fd: 3, buf: 0x7f, cou`, 'unreadable'],
  ['ftrace', `${KERNEL}sys_write -> 0x3`, 'unreadable'],
  [
    'ftrace',
    `${KERNEL}sys_write(fd: 3, buf: 0x7f, count: 3)\n${KERNEL}sys_write -> 0x3\n${KERNEL}sys_write -> 0x3`,
    'unreadable',
  ],
  ['ftrace', `${KERNEL}sys_pwrite64(fd: 3, buf: 0x7f, count: 3, pos: 0)`, null],
  ['ftrace', `${KERNEL}sys_writev(fd: 3, vec: 0x7f, vlen: 3)`, null],
  ['ftrace', '# entries-in-buffer/entries-written: 100/130   #P:2', { lost: 30 }],
  ['ftrace', '# entries-in-buffer/entries-written: 100/100   #P:2', null],
  ['ftrace', 'CPU:1 [LOST 12 EVENTS]', { lost: 12 }],
  ['trace-cmd', 'CPU:1 [12 EVENTS DROPPED]', { lost: 12 }],
  ['trace-cmd', 'CPU:1 [EVENTS DROPPED]', { lost: 1 }],
  [
    'trace-cmd',
    'node-14308 [001] 7670.073330: sys_enter_write: fd: 0x00000012, buf: 0x35775e28, count: 0x00000006\nnode-14308 [001] 7670.073340: sys_exit_write: 0x6',
    saw({ fd: 18, count: 6, result: 6, more: { time: 7670073.33, tid: 14308 } }),
  ],
  [
    'trace-cmd',
    'node-14308 [001] 7670.073330: sys_enter_write: fd=0x00000012 buf=0x35775e28 count=0x00000006\nnode-14308 [001] 7670.073340: sys_exit_write: ret=0xffffffffffffffe4',
    saw({ fd: 18, count: 6, result: -28, more: { time: 7670073.33, tid: 14308 } }),
  ],
  // auditd
  [
    'audit',
    `${SYSCALL}40000003 syscall=4 success=yes exit=6 a0=12 a1=40dc9e28 a2=6 a3=0 items=0 ppid=1 pid=10532 comm="node"`,
    saw({ fd: 18, count: 6, result: 6, more: AUDITED }),
  ],
  [
    'audit',
    `node=vm ${SYSCALL}c000003e syscall=1 success=no exit=-9 a0=ffffffff a1=0 a2=10 a3=0 ppid=1 pid=10532`,
    saw({ fd: -1, count: 16, result: -9, more: AUDITED }),
  ],
  [
    'audit',
    '[   12.3] audit: type=1300 audit(1795697685.490:66): arch=c00000b7 syscall=64 success=yes exit=6 a0=12 a1=0 a2=6 ppid=1 pid=10532',
    saw({ fd: 18, count: 6, result: 6, more: AUDITED }),
  ],
  [
    'audit',
    `${SYSCALL}deadbeef syscall=9 success=yes exit=6 a0=12 a1=0 a2=6 ppid=1 pid=10532 key="k"\u001dARCH=new SYSCALL=write`,
    saw({ fd: 18, count: 6, result: 6, more: AUDITED }),
  ],
  // The number 4 is stat for a 64-bit program, and 1 is exit for a 32-bit one.
  ['audit', `${SYSCALL}c000003e syscall=4 success=yes exit=6 a0=12 a1=0 a2=6 ppid=1 pid=10532`, null],
  ['audit', `${SYSCALL}40000003 syscall=1 success=yes exit=6 a0=12 a1=0 a2=6 ppid=1 pid=10532`, null],
  ['audit', `${SYSCALL}c000003e syscall=1 success=yes exit=-512 a0=12 a1=0 a2=6 ppid=1 pid=10532`, null],
  ['audit', `${SYSCALL}c000003e syscall=1 success=yes exit=6 a0=12`, 'unreadable'],
  ['audit', 'type=SYSCALL msg=audit(17956', 'unreadable'],
  ['audit', `type=PROCTITLE msg=audit(1795697685.490:66) : proctitle=x audit: ${SYSCALL}c000003e syscall=1`, null],
  ['audit', '----', null],
  // gVisor
  [
    'runsc',
    `${RUNSC} E write(0x1e /tmp/a, 0x1 "b, 0x7fa5 "h\\"i\\x1bé\\u00a0\\n", 0x9)\n${RUNSC} X write(0x1e /tmp/a, 0x1 "b, ..., 0x9) = 9 (0x9) (9.2µs)`,
    saw({ fd: 30, count: 9, result: 9, text: 'h"i\\x1bé\u00a0\\n', more: RUNSC_IDS }),
  ],
  [
    'runsc',
    `${RUNSC} E write(0x13 /dev/full, 0x7fa5 "hi"..., 0x9)\n${RUNSC} X write(0x13 /dev/full, 0x7fa5 "hi"..., 0x9) = 0 (0x0) errno=28 (no space left on device) (1.002ms)`,
    saw({ fd: 19, count: 9, result: -28, text: 'hi', cut: true, more: RUNSC_IDS }),
  ],
  [
    'runsc',
    `${RUNSC} E write(0xffffffffffffffff (bad FD), 0x1 (error copying bytes: bad address), 0x9)\n${RUNSC} X write(0xffffffffffffffff (bad FD), ..., 0x9) = 0 (0x0) errno=9 (bad file number) (17ns)`,
    saw({ fd: -1, count: 9, result: -9, more: RUNSC_IDS }),
  ],
  [
    'runsc',
    `${RUNSC} E write(0x1 /a, , 0x0)\n${RUNSC} X write(0x1 /a, ..., 0x0) = 0 (0x0) (1m2.5s)`,
    saw({ fd: 1, count: 0, result: 0, text: '', more: RUNSC_IDS }),
  ],
  [
    'runsc',
    'strace.go:605] [   1:   1] node X write(0x11 out.txt, ..., 0x6) = 6 (0x6) (922ns)',
    saw({ fd: 17, count: 6, result: 6, more: { pid: 1, tid: 1 } }),
  ],
  [
    'runsc',
    `${RUNSC} E write(0x1 /a, 0x1 "a", 0x1)\n${RUNSC.replace('12]', '13]')} X write(0x1 /a, ..., 0x1) = 1 (0x1) (1ns)`,
    'unreadable',
  ],
  ['runsc', `${RUNSC} X write(0x1 /a, ..., 0x`, 'unreadable'],
  ['runsc', `${RUNSC} E pwrite64(0x1 /a, 0x1 "a", 0x1, 0x0)`, null],
  // qemu
  ['qemu', '11725 write(18,0x58cfe28,6) = 6', saw({ fd: 18, count: 6, result: 6, more: { pid: 11725 } })],
  [
    'qemu',
    '12 write(20,0x1,5) = -1 errno=28 (No space left on device)',
    saw({ fd: 20, count: 5, result: -28, more: { pid: 12 } }),
  ],
  [
    'qemu',
    '12 futex(0x1,FUTEX_WAIT,2,NULL,NULL,0)12 write(13,0x1,8) = 8',
    saw({ fd: 13, count: 8, result: 8, more: { pid: 12 } }),
  ],
  ['qemu', '12 futex(0x1,FUTEX_WAIT,2,NULL,NULL,0)12 write(13,0x1,8) = 8\n = 0', null],
  [
    'qemu',
    '12 write(13,0x1,8)12 futex(0x1,FUTEX_WAIT,2,NULL,NULL,0) = 0\n = 8',
    saw({ fd: 13, count: 8, result: 8, more: { pid: 12 } }),
  ],
  ['qemu', '12 write(13,0x1,8)12 write(14,0x1,3) = 3\n = 8', saw({ fd: 13, count: 8, result: 8, more: { pid: 12 } })],
  ['qemu', '12 write(2,0x1,5)hello\n = 5', saw({ fd: 2, count: 5, result: 5, more: { pid: 12 } })],
  ['qemu', '12 write(13,0x1,8) = -1 errno=512 (Unknown error 512)', null],
  ['qemu', '12 write(13,0x1,8)12 futex(0x1,FUTEX_WAIT,2,NULL,NULL,0)\n = 0', null],
  ['qemu', '12 write(13,0x', 'unreadable'],
  // ltrace
  [
    'ltrace',
    '11709 SYS_write(18, "hello\\n", 6) = 6',
    saw({ fd: 18, count: 6, result: 6, text: 'hello\\n', more: { tid: 11709 } }),
  ],
  [
    'ltrace',
    '[pid 12] 00:00:01.5 write@SYS(3, "a", 2) = 18446744073709551588 <0.000012>',
    saw({ fd: 3, count: 2, result: -28, text: 'a', cut: true, more: { tid: 12, time: 1500 } }),
  ],
  [
    'ltrace',
    '12 1.5 SYS_write(3, ""x", 9) = 9"", 9)           = -28',
    saw({ fd: 3, count: 9, result: -28, text: '"x", 9) = 9"', more: { tid: 12, time: 1500 } }),
  ],
  ['ltrace', '12 SYS_write(3, 0x7f00, 9) = -14', saw({ fd: 3, count: 9, result: -14, more: { tid: 12 } })],
  [
    'ltrace',
    '12 SYS_write(3, "abc", 3 <unfinished ...>\n13 SYS_write(4, "d", 1) = 1\n12 <... SYS_write resumed> ) = 2',
    saw({ fd: 3, count: 3, result: 2, text: 'abc', more: { tid: 12 } }),
  ],
  ['ltrace', '12 <... SYS_write resumed> ) = 2', 'unreadable'],
  ['ltrace', '12 SYS_write(3, "abc', 'unreadable'],
  ['ltrace', '12 SYS_stat("abc") = 6', null],
  ['ltrace', '12 SYS_writev(20, 0x7fff, 2) = -28', null],
  ['ltrace', '12 --- SIGTERM (Terminated) ---', null],
  // The tracers that print objects
  ['sysdig', '{"evt.dir":"<","evt.info":"res=3 data=abc ","evt.type":"write","thread.tid":12}', 'unreadable'],
  ['sysdig', '{"evt.dir":"<","evt.info":"res=3 data=abc ","evt.type":"writev","thread.tid":12}', null],
  [
    'sysdig',
    `{"evt.dir":">","evt.info":"fd=3(<f>/a b) size=34 ","evt.type":"write","thread.tid":12}\n{"evt.dir":"<","evt.info":"res=34 data=like arguments: fd=9(<f>/x) size=8 ","evt.type":"write","thread.tid":12}`,
    saw({ fd: 3, count: 34, result: 34, text: 'like arguments: fd=9(<f>/x) size=8', more: { tid: 12 } }),
  ],
  [
    'tetragon',
    '{"process_kprobe":{"process":{"pid":1,"tid":1},"function_name":"__x64_sys_write","args":[{"file_arg":{"path":"/a"}},{"size_arg":"3"}]}}',
    'unreadable',
  ],
  [
    'sysdig',
    '{"evt.info":"fd=3(<f>/a) size=2 ","evt.type":"write","thread.tid":12}\n{"evt.info":"res=2 data=hi ","evt.type":"write","thread.tid":12}',
    saw({ fd: 3, count: 2, result: 2, text: 'hi', more: { tid: 12 } }),
  ],
  [
    'sysdig',
    '{"output_fields":{"evt.type":"write","evt.arg.fd":3,"evt.arg.size":5,"evt.arg.res":"ENOSPC","thread.tid":12}}',
    saw({ fd: 3, count: 5, result: -28, more: { tid: 12 } }),
  ],
  ['tetragon', '{"process_exec":{"process":{"pid":1}},"time":"2026-12-01T00:00:00Z"}', null],
  ['tracee', '{"eventName":"write","returnValue":3,"args":[{"name":"fd","value":1}]}', 'unreadable'],
  ['tracee', '{"eventName":"openat","returnValue":3}', null],
  ['tracee', '{"eventName":"write","returnValue":3', 'unreadable'],
  [
    'tracee',
    '[{"eventName":"write","returnValue":3,"args":[{"name":"fd","value":1},{"name":"count","value":3}]},',
    saw({ fd: 1, count: 3, result: 3 }),
  ],
  [
    'inspektor-gadget',
    '{"syscall":"write","parameters":"fd=18446744073709551615, buf=0, count=3","ret":"-1 (Bad file descriptor)","pid":12}',
    saw({ fd: -1, count: 3, result: -9, more: { pid: 12 } }),
  ],
  [
    'inspektor-gadget',
    '{"syscall":"write","parameters":"fd=3, buf=\\"a\\", count=1","ret":"unfinished"}',
    saw({ fd: 3, count: 1, result: undefined, text: 'a' }),
  ],
  ['inspektor-gadget', '{"syscall":"write","parameters":"","ret":"3"}', 'unreadable'],
  [
    'inspektor-gadget',
    '{"proc":{"pid":11,"tid":12},"syscall":"write","parameters":"fd=3, buf=\\"a\\", count=1","ret":"1"}',
    saw({ fd: 3, count: 1, result: 1, text: 'a', more: { pid: 11, tid: 12 } }),
  ],
];

testLines(LINES);

test('ausearch -i prints local time in the order of the locale, and errors as names', () => {
  const rest = 'arch=x86_64 syscall=write success=no exit=ENOSPC(No space left on device) a0=0x14 a1=0x1 a2=0x11 pid=7';
  for (const stamp of [
    '12/01/26 16:07:56.165',
    '12/01/2026 16:07:56.165',
    '2026-12-01 16:07:56.165',
    '01.12.2026 16:07:56.165',
    '1.12.26, 16:07:56.165',
  ]) {
    const content = formatNamed('audit').reader()(`type=SYSCALL msg=audit(${stamp}:14) : ${rest}`);
    const time = new Date(2026, 11, 1, 16, 7, 56, 165).getTime();
    assert.deepEqual(content, saw({ fd: 20, count: 17, result: -28, more: { time, pid: 7 } }), stamp);
  }
});

const FIRST_LINES: [line: string, format: string | undefined][] = [
  ['# tracer: nop', 'ftrace'],
  ['cpus=2', 'trace-cmd'],
  ['node-12    [001] 15201.138749: sched_switch:         prev_comm=node', 'trace-cmd'],
  ['type=DAEMON_START msg=audit(1796141271.892:8646): op=start', 'audit'],
  ['node=vm type=PROCTITLE msg=audit(1.5:8): proctitle=6E', 'audit'],
  ['I1201 16:08:31.664438   22222 main.go:216] ***************************', 'runsc'],
  ['{"msg":"***************************","level":"info","time":"2026-12-01T16:26:26.1Z"}', 'runsc'],
  ['27256 brk(NULL) = 0x0000000005689000', 'qemu'],
  ['27256 access("/etc/ld.so.preload",R_OK) = -1 errno=2 (No such file or directory)', 'qemu'],
  ['27256 brk(NULL)                         = 0x55d0a1b2c000', 'strace'],
  ['27256 write(1, "a,b", 3) = 3', 'strace'],
  ['27256 write(1</tmp/a,b>, "a", 1) = 1', 'strace'],
  ['27256 access("/etc/ld.so.preload", R_OK) = -1 ENOENT (No such file or directory)', 'strace'],
  ['23420 1796141369.787495 SYS_brk(0)               = 0x21cec000', 'ltrace'],
  ['23420 node->malloc(12)               = 0x21cec000', 'ltrace'],
  ['[{"eventName":"openat"},', 'tracee'],
  ['{"fd":1,"count":3,"ret":3}', 'ndjson'],
  ['hello', undefined],
];

for (const [line, format] of FIRST_LINES)
  test(`the first line of ${format ?? 'no trace'} is recognized: ${line.slice(0, 60)}`, () => {
    assert.equal(formatOf(line)?.id, format);
  });

const LONG: [format: string, line: string][] = [
  ['strace', `write(1<${'<->->'.repeat(60_000)}x, "a", 1) = 1`],
  ['strace', '[a:'.repeat(100_000)],
  ['ftrace', `${KERNEL}sys_write(fd: 1, ${'buf: '.repeat(60_000)}x`],
  ['ftrace', `${KERNEL}sys_write(${'fd: 1, buf: 0x1, count: 1 '.repeat(12_000)}x`],
  ['perf', `1.0 (1.0 ms): ${'a/1 write(fd: 1, buf: , count: 1) '.repeat(9000)}`],
  ['perf', `1.0 (1.0 ms): a/1 write(fd: 1<${'>, buf: , count: 1)'.repeat(15_000)}`],
  ['qemu', '1'.repeat(300_000)],
  ['qemu', '1 write(1,0x1,1) = 1 errno=1 ('.repeat(10_000)],
  ['runsc', `main.go:1] [ 1: 1] a X write(0x1 ${', 0x1) = 1 errno=1 ('.repeat(15_000)}`],
  [
    'sysdig',
    `{"evt.type":"write","evt.dir":"<","thread.tid":1,"evt.info":"res=1 data=${' fd=1( size=1 x'.repeat(20_000)}"}`,
  ],
];

test('a long line of any kind is read in a time that grows with its length', () => {
  for (const [format, line] of LONG) {
    const begun = performance.now();
    formatNamed(format).reader()(line);
    formatOf(line);
    const took = performance.now() - begun;
    assert.ok(took < 2500, `${format}: ${line.slice(0, 60)}… took ${took} ms`);
  }
});

test('a call with an error that has no known name or number is not read as one without a result', () => {
  for (const [format, line, result] of [
    ['strace', '12 write(18, "hi", 2) = -1 ENOSPX (No space left on device)', 'unreadable'],
    ['strace', '12 write(18, "hi", 2) = -1 ENOS', 'unreadable'],
    ['strace', '12 write(18, "hi", 2) = -1 ENOTSUPP (Unknown error 524)', -524],
    ['strace', '12 write(18, "hi", 2) = -1 (errno 600)', -600],
    ['audit', `${SYSCALL}x86_64 syscall=write success=no exit=EFOO a0=12 a1=1 a2=6 pid=1`, 'unreadable'],
    ['audit', `${SYSCALL}x86_64 syscall=write success=no exit=EWOULDBLOCK a0=12 a1=1 a2=6 pid=1`, -11],
    ['perf', '1.0 (1.0 ms): a/1 write(fd: 1, buf: 0x1, count: 1) = -1 EFOO (x)', 'unreadable'],
  ] as const) {
    const content = formatNamed(format).reader()(line);
    assert.equal(
      content !== null && typeof content === 'object' && 'result' in content ? content.result : content,
      result,
      line,
    );
  }
});
