// Invented reports of a witness, for tests of what keeps and sums them.
import type { SystemCall, WitnessReport } from '../../src/protocol/system-call.js';

/** Returns a write of five bytes to descriptor 9, with these changes. */
export const callOf = (changes: Partial<SystemCall> = {}): SystemCall => ({
  abi: 'x86-64',
  number: 1,
  name: 'write',
  arguments: [9, 4096, 5, 0, 0, 0],
  result: 5,
  error: null,
  origin: { file: '/lib/libc.so.6', offset: 0xf838d, symbol: 'write', address: '0x7f00000f838d', isLevel: true },
  preview: 'hello',
  ...changes,
});

/** Returns a report with so many calls, and these changes. */
export const reportOf = (calls: number, changes: Partial<WitnessReport> = {}): WitnessReport => ({
  systemCalls: Array.from({ length: calls }, () => callOf()),
  complete: true,
  dropped: 0,
  verdict: 'agrees',
  ...changes,
});
