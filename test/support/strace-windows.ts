// Parses the output of `strace -e raw=all` around a witness, and brings the witness's calls to the same form.
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import type { SystemCall } from '../../src/syscalls/index.js';
import { joinTorn } from './strace.js';

/** A call in the form that both sides are brought to: its name, its arguments in hexadecimal, its result. */
export type Seen = { name: string; arguments: string[]; result: number };

/** Matches `write(0x12, 0x7f…, 0x5) = -1 ENOSPC (No space left on device)`, as `strace -e raw=all` prints it. */
const CALL = /^(\w+)\((.*?) ?\)\s+= (-?(?:0x)?[\da-f]+)(?: (E\w+))?/;
/** PR_SET_SYSCALL_USER_DISPATCH with PR_SYS_DISPATCH_ON, and with PR_SYS_DISPATCH_OFF. */
const ON = 'prctl(0x3b, 0x1,';
const OFF = 'prctl(0x3b, 0,';
/** The witness's own calls inside its window. The lines of signals begin with `---`. */
const OWN = /^(?:rt_sigprocmask|rt_sigreturn)\(/;

/** Returns the lines of one thread in the output of `strace -f`, which begin with the thread's id. */
export const linesOf = (trace: string, thread: number): string =>
  joinTorn(trace)
    .filter((line) => line.startsWith(`${thread} `))
    .map((line) => line.slice(`${thread}`.length).trimStart())
    .join('\n');

/** Returns the calls between each ON and OFF. @param trace the lines of one thread */
export function windowsOf(trace: string): Seen[][] {
  const windows: Seen[][] = [];
  let current: Seen[] | null = null;
  for (const line of trace.split('\n')) {
    if (line.startsWith(ON)) {
      assert.equal(current, null, 'each window ends before the next begins');
      current = [];
    } else if (line.startsWith(OFF)) {
      assert.ok(current, 'a window begins before it ends');
      windows.push(current);
      current = null;
    } else if (current && !OWN.test(line) && !line.startsWith('---')) {
      const match = CALL.exec(line);
      assert.ok(match, `not a call: ${line}`);
      const [, name = '', args = '', result, code] = match;
      const errno = code === undefined ? 0 : (constants.errno as Record<string, number>)[code];
      assert.ok(errno !== undefined, line);
      const plain = args === '' ? [] : args.split(', ').map((each) => (each === '0' ? '0x0' : each));
      current.push({ name, arguments: plain, result: code ? -errno : Number(result) });
    }
  }
  assert.equal(current, null, 'the last window ends');
  return windows;
}

const hex = (value: number | string): string => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

/** The registers that the call takes, as strace has them. */
export const likeStrace = (call: SystemCall, seen: Seen | undefined): Seen => ({
  name: call.name,
  arguments: call.arguments.slice(0, seen?.arguments.length).map(hex),
  result: call.result as number,
});
