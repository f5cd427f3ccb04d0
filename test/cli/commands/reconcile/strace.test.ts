// The reader of strace: what each option adds to a line, and names of files that look like parts of one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LineContent, LineWrite } from '../../../../src/cli/commands/reconcile/formats/format.js';
import { strace } from '../../../../src/cli/commands/reconcile/formats/strace.js';
import { random } from '../../../support/reconcile/synthetic.js';

/** Reads lines, and returns the content of the last one. */
function readLast(lines: string, thread?: number): LineContent {
  const read = strace.reader(thread);
  let last: LineContent = null;
  for (const line of lines.split('\n')) last = read(line);
  return last;
}

const brief = (content: LineContent): unknown =>
  content !== null && typeof content === 'object' && 'name' in content
    ? [content.tid, content.fd, content.text, content.count, content.result]
    : content;

const WHOLE = [12, 18, 'hi', 2, 2];

/** Each line is the same write, but for the last column where there is one. */
const LINES: [option: string, line: string, content?: unknown][] = [
  ['-y, of a file that is gone', '12 write(18</tmp/x>(deleted), "hi", 2) = 2'],
  ['-yy, of a device', '12 write(18</dev/pts/0<char 136:0>>, "hi", 2) = 2'],
  ['-yy, of a terminal that is gone', '12 write(18</dev/pts/0<char 136:0>>(deleted), "hi", 2) = 2'],
  ['-yy, of a socket', '12 write(18<TCP:[127.0.0.1:80->127.0.0.1:4]>, "hi", 2) = 2'],
  ['-yy, of a socket of IPv6', '12 write(18<TCPv6:[[::1]:80->[::1]:4]>, "hi", 2) = 2'],
  ['-yy, of a unix socket', '12 write(18<UNIX-STREAM:[1->2,"/tmp/a>, 0x\\" b"]>, "hi", 2) = 2'],
  ['-y, of a name with > at its end', '12 write(18</tmp/a-\\76>, "hi", 2) = 2'],
  ['-y, of a name with - at its end', '12 write(18</tmp/a->, "hi", 2) = 2'],
  ['-y, of a name like the rest of a line', '12 write(18</tmp/a\\76, \\"x\\", 1) = 1>, "hi", 2) = 2'],
  ['-xx -y', '12 write(18<\\x2f\\x78>(deleted), "\\x68\\x69", 2) = 2'],
  ['--secontext', '12 [a:b:c:s0] write(18</tmp/x> [a:b:c:s0], "hi", 2) = 2'],
  ['--arg-names', '12 write(fd=18</tmp/x>, buf="hi", count=2) = 2'],
  ['--decode-pids=comm', '12<node> write(18, "hi", 2) = 2'],
  ['--decode-pids=comm to stderr', '[pid    12<my \\74thread\\76>] write(18, "hi", 2) = 2'],
  ['--decode-pids=pidns', '[pid 12 /* 4711 in strace\'s PID NS */] write(18, "hi", 2) = 2'],
  ['-n -i', '12 [   1] [00007f28cbd1638f] write(18, "hi", 2) = 2'],
  ['-n -i without an address', '12 [   4] [????????] write(18, "hi", 2) = 2'],
  ['-ttt -r', '12 1796142336.240326 (+     0.084239) write(18, "hi", 2) = 2'],
  ['--timestamps=unix,s', '12 1796142336 write(18, "hi", 2) = 2'],
  ['-T', '12 write(18, "hi", 2) = 2 <0.000093>'],
  ['-a 60', '12 write(18, "hi", 2)                                     = 2'],
  ['-s0', '12 write(18, ""..., 2) = 2', [12, 18, '', 2, 2]],
  ['-e raw=write', '12 write(0x12, 0x7f, 0x2) = 0x2', [12, 18, undefined, 2, 2]],
  ['-e raw=write of no descriptor', '12 write(0xffffffff, 0x7f, 0x2) = -1 EBADF (x)', [12, -1, undefined, 2, -9]],
  ['-e inject', '12 write(18, "hi", 2) = -1 EIO (Input/output error) (INJECTED)', [12, 18, 'hi', 2, -5]],
  ['an end before the call', '12 write(18, "hi", 2 <detached ...>', [12, 18, 'hi', 2, undefined]],
  ['an older resumed', '12 write(18, "hi", 2 <unfinished ...>\n12 <... write resumed> ) = 2'],
  ['resumed, of names', '12<node> write(18, "hi", 2 <unfinished ...>\n12<node> <... write resumed>) = 2'],
  ['a notice behind the call', '[pid 12] write(18, "hi", 2strace: Process 5 attached\n) = 2'],
  [
    'a thread that did not go on',
    '12 write(18, "hi", 2 <unfinished ...>\n12 write(18, "a", 1 <unfinished ...>',
    'unreadable',
  ],
  ['-k', ' > /usr/lib/libc.so.6(__write+0x4f) [0xf838f]', null],
  ['-e write=all', ' | 00000  74 6f 20 6c 6f 67                                 to log           |', null],
  ['-C', '100.00    0.000005           1         4         1 write', null],
  ['a notice', 'strace: Process 12 attached with 11 threads', null],
  ['a notice on another ABI', 'strace: [ Process PID=12 runs in 32 bit mode. ]', null],
  ['text of the program', 'listening on port 80', 'foreign'],
  ['text of the program before a call', 'done.[pid 12] write(18, "hi", 2) = 2', 'unreadable'],
  ['text of the program behind a call', '12 write(18, "hi", 2) = 2done.', 'unreadable'],
  ['a line that was cut in the bytes', '12 write(18, "hi\\"', 'unreadable'],
  ['a line that was cut in a name', '12 write(18</tmp/x', 'unreadable'],
];

for (const [option, line, content = WHOLE] of LINES)
  test(`the reader of strace reads a line of ${option}`, () => assert.deepEqual(brief(readLast(line)), content));

test('the reader of strace adds up the times of -r, and takes the thread of a file from its name', () => {
  const last = readLast('     0.100000 write(18, "a", 1) = 1\n     0.250000 write(18, "hi", 2) = 2', 12);
  assert.deepEqual(brief(last), WHOLE);
  assert.equal((last as LineWrite).time, 350);
});

/** Quotes as strace does: octal for what is no printable ASCII, and for the characters in `also`. */
const quote = (text: string, also = ''): string =>
  [...Buffer.from(text)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      if (char === '"' || char === '\\') return `\\${char}`;
      return byte < 32 || byte > 126 || also.includes(char) ? `\\${byte.toString(8).padStart(3, '0')}` : char;
    })
    .join('');

test('no name of a file, socket or program makes the reader of strace read another write', (t) => {
  const seed = Number(process.env.STRACE_SEED ?? Date.now() % 1e6);
  t.diagnostic(`STRACE_SEED=${seed}`);
  const next = random(seed);
  const PARTS = [
    '>',
    '<',
    '"',
    ')',
    '\n',
    '->',
    ', ',
    ' = 1',
    '\\',
    'a',
    '(deleted)',
    '0x7f',
    'NULL',
    '...',
    'é',
    '[',
    ']',
  ];
  const make = (): string =>
    Array.from({ length: Math.floor(next() * 12) }, () => PARTS[Math.floor(next() * PARTS.length)]).join('');
  const DECORATIONS: ((name: string) => string)[] = [
    (name) => `</${quote(name, '<>')}>`,
    (name) => `</${quote(name, '<>')}>(deleted)`,
    (name) => `</${quote(name, '<>')}<char 136:0>>`,
    (name) => `<UNIX-STREAM:[1->2,"/${quote(name)}"]>`,
    () => '',
  ];
  for (let i = 0; i < 20_000; i++) {
    const [name, comm, bytes] = [make(), make(), make()];
    const decoration = DECORATIONS[i % DECORATIONS.length] as (name: string) => string;
    const count = Buffer.byteLength(bytes);
    const line = `12<${quote(comm, '<>')}> write(18${decoration(name)}, "${quote(bytes)}", ${count}) = ${count} <0.000012>`;
    const content = strace.reader()(line) as LineWrite;
    const shown = Buffer.from(bytes).toString().replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
    if (count <= 64) assert.deepEqual(brief(content), [12, 18, shown, count, count], line);
    else assert.deepEqual([content.fd, content.count, content.result], [18, count, count], line);
  }
});
