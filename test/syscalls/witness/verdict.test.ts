// The verdict on lists of system calls that no machine has made.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Claim, type SystemCall, verdictOf } from '../../../src/syscalls/index.js';

const call = (changes: Partial<SystemCall> = {}): SystemCall => ({
  abi: 'x86-64',
  number: 1,
  name: 'write',
  arguments: [7, 4096, 5, 0, 0, 0],
  result: 5,
  error: null,
  origin: { file: '/lib/libc.so.6', offset: 0xf838d, symbol: 'write', address: '0x7f00000f838d', isLevel: true },
  preview: 'hello',
  ...changes,
});

/** A write of the last bytes of five. */
const write = (count: number, result: number): SystemCall => call({ arguments: [7, 4096, count, 0, 0, 0], result });
const i386 = call({ abi: 'i386', number: 4 });
const enter = call({ number: 426, name: 'io_uring_enter', arguments: [9, 2, 2, 1, 0, 0], result: 2, preview: null });
const futex = call({ number: 202, name: 'futex', arguments: [4096, 129, 1, 0, 0, 0], result: 0, preview: null });
/** libuv wakes an event loop. */
const wakeUp = call({ arguments: [9, 4096, 8, 0, 0, 0], result: 8, preview: `\\x01${'\\x00'.repeat(7)}` });
const shim = { file: '/tmp/shim.so', offset: 0x113b, symbol: 'write', address: '0x7f000000113b', isLevel: false };
const jit = { file: null, offset: null, symbol: null, address: '0x1234', isLevel: false };

const claim = (changes: Partial<Claim> = {}): Claim => ({ level: 'os', fd: 7, requested: 5, result: 5, ...changes });

type Row = { claim?: Partial<Claim>; calls: SystemCall[]; complete?: boolean; dropped?: number };

const AGREE: Record<string, Row> = {
  'one write at raw': { claim: { level: 'raw' }, calls: [call()] },
  'one write at int80': { claim: { level: 'int80' }, calls: [i386] },
  'one io_uring_enter': { claim: { level: 'uring' }, calls: [enter] },
  'an io_uring that is refused': { claim: { level: 'uring', result: -28 }, calls: [enter, enter] },
  'one write at os': { calls: [call()] },
  'an error': { claim: { result: -28 }, calls: [write(5, -28)] },
  'a short write': { claim: { result: 2 }, calls: [write(5, 2)] },
  'no bytes': { claim: { requested: 0, result: 0 }, calls: [write(0, 0)] },
  'calls that write nothing': { calls: [futex, call(), futex] },
  'the same bytes': { claim: { bytes: Buffer.from('hello') }, calls: [call()] },
  'the same bytes in parts': {
    claim: { level: 'std', bytes: Buffer.from('hello') },
    calls: [
      { ...write(5, 2), preview: 'he' },
      { ...write(3, 3), preview: 'llo' },
    ],
  },
  'an error, of which no bytes were kept': {
    claim: { result: -28, bytes: Buffer.from('hello') },
    calls: [{ ...write(5, -28), preview: null }],
  },
  'the first of many bytes, whose last character is cut off': {
    claim: { requested: 81, result: 81, bytes: Buffer.from(`x${'é'.repeat(40)}`) },
    calls: [{ ...write(81, 81), preview: `x${'é'.repeat(31)}` }],
  },
  'a wake-up of an event loop': { calls: [wakeUp, call(), wakeUp] },
  'a wake-up of an event loop at uring': { claim: { level: 'uring' }, calls: [enter, wakeUp] },
  'std in parts': { claim: { level: 'std' }, calls: [write(5, 2), write(3, 3)] },
  'std, a part, then an error': { claim: { level: 'std', result: 2 }, calls: [write(5, 2), write(3, -11)] },
  'std after an interruption': { claim: { level: 'std' }, calls: [write(5, -4), write(5, 5)] },
  'std to a negative descriptor': { claim: { level: 'std', fd: -1, result: -9 }, calls: [] },
  'a descriptor of 32 bits': {
    claim: { fd: -1, result: -9 },
    calls: [call({ arguments: [4294967295, 4096, 5, 0, 0, 0], result: -9 })],
  },
};

for (const [name, { claim: claimed, calls }] of Object.entries(AGREE))
  test(`agrees: ${name}`, () => {
    assert.equal(verdictOf(claim(claimed), { systemCalls: calls, complete: true, dropped: 0 }), 'agrees');
  });

const DISAGREE: Record<string, Row> = {
  'write returned 5, and level os 6': { claim: { result: 6 }, calls: [call()] },
  'write returned 4, and level os 5': { calls: [write(5, 4)] },
  'write returned -28, and level os 5': { calls: [write(5, -28)] },
  'write returned 5, and level std 4': { claim: { level: 'std', result: 4 }, calls: [write(5, 2), write(3, 3)] },
  'write went to descriptor 8, not 7': { calls: [call({ arguments: [8, 4096, 5, 0, 0, 0] })] },
  'write was asked to write 4 bytes, not 5': { claim: { result: 4 }, calls: [write(4, 4)] },
  'write was asked to write 5 bytes, not 3': { claim: { level: 'std' }, calls: [write(5, 2), write(5, 3)] },
  'write returned 6, more than the 5 bytes it was asked for': { claim: { result: 6 }, calls: [write(5, 6)] },
  'write was given other bytes: "hello"': { claim: { bytes: Buffer.from('HELLO') }, calls: [call()] },
  'write was given other bytes: "hel"': {
    claim: { level: 'std', bytes: Buffer.from('hello') },
    calls: [
      { ...write(5, 2), preview: 'he' },
      { ...write(3, 3), preview: 'hel' },
    ],
  },
  'write was called 2 times, not once': { calls: [write(5, 2), write(3, 3)] },
  'write was called 3 times, not once': { claim: { level: 'raw' }, calls: [write(5, 5), write(5, 5), write(5, 5)] },
  'no write was called': { calls: [futex] },
  'os should call write, and pwrite64 was called': { calls: [call({ name: 'pwrite64', number: 18 })] },
  'os should call write, and sendto was called': { calls: [call(), call({ name: 'sendto', number: 44 })] },
  'write was called by the ABI i386, not x86-64': { claim: { level: 'raw' }, calls: [i386] },
  'write was called by the ABI x86-64, not i386': { claim: { level: 'int80' }, calls: [call()] },
  'write came from shim.so+0x113b (write), not from libc': { calls: [call({ origin: shim })] },
  "write came from shim.so+0x113b (write), not from syswire's own instruction": {
    claim: { level: 'raw' },
    calls: [call({ origin: shim })],
  },
  'write came from 0x1234, which is in no file, not from libc': { calls: [call({ origin: jit })] },
  'uring should make no write, and write was called': { claim: { level: 'uring' }, calls: [enter, call()] },
  'no io_uring_enter was called': { claim: { level: 'uring' }, calls: [futex] },
  "io_uring_enter came from 0x1234, which is in no file, not from syswire's own instruction": {
    claim: { level: 'uring' },
    calls: [{ ...enter, origin: jit }],
  },
  'the list ends with clone3: later calls were not seen': {
    calls: [call(), call({ name: 'clone3', number: 435, result: null })],
    complete: false,
  },
  'only 1 of 4 calls were kept': { calls: [call()], dropped: 3 },
  "syscall_900 has no name in the kernel's headers that the addon was built with": {
    calls: [call(), call({ name: 'syscall_900', number: 900 })],
  },
  "syscall_-1 has no name in the kernel's headers that the addon was built with": {
    calls: [call(), call({ name: 'syscall_-1', number: -1 })],
  },
  'write went to descriptor 9, not 7': { calls: [{ ...wakeUp, preview: 'hellohel' }] },
};

for (const [verdict, { claim: claimed, calls, complete = true, dropped = 0 }] of Object.entries(DISAGREE))
  test(`does not agree: ${verdict}`, () => {
    assert.equal(verdictOf(claim(claimed), { systemCalls: calls, complete, dropped }), verdict);
  });
