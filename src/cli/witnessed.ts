// Prints what a witness saw, in answers and records. These come from a service, and --url may lead to any program: names,
// files and verdicts are made safe for a terminal.
import type { BurstResult } from '../protocol/calls.js';
import { number } from '../protocol/format.js';
import { makeSafe } from '../protocol/preview.js';
import type { WitnessReport } from '../protocol/system-call.js';
import { describeWitnessed, isAddress, printOrigin, printResult } from '../protocol/system-call-text.js';

/** The flag of the commands that ask a service for calls. */
export const WITNESS_FLAG = {
  help: 'list the system calls that the kernel got, and whether they confirm the result (Linux on x86-64)',
  field: 'witness',
} as const;

/** Return a line for each system call, and last the verdict. */
export const reportLines = (report: WitnessReport): string[] => describeWitnessed(report).map(makeSafe);

type Kind = NonNullable<BurstResult['systemCalls']>[number];

/** Return the result of all calls of a kind. The service sums calls that return addresses, whatever the address. */
const resultOfAll = (kind: Kind): string =>
  kind.result !== null && isAddress(kind.result) ? 'an address' : printResult(kind);

/** Return `every verdict agrees`, or how many do not and the first of them. */
function verdictLine({ count, disagreed = 0, verdict }: BurstResult): string {
  if (disagreed === 0) return 'every verdict agrees';
  return `${number(disagreed)} of ${number(count)} verdicts ${disagreed === 1 ? 'does' : 'do'} not agree: ${verdict}`;
}

/** Return a line for each kind of system call that a burst made, and last the verdicts. Empty if there was no witness. */
export function burstLines(result: BurstResult): string[] {
  const { systemCalls = [], complete = true, dropped = 0, verdict } = result;
  if (verdict === undefined) return [];
  const rows = systemCalls.map((kind) => ({
    name: makeSafe(`${kind.abi === 'i386' ? '[i386] ' : ''}${kind.name}`),
    times: `×${number(kind.times)}`,
    rest: makeSafe(`= ${resultOfAll(kind)}  [${printOrigin(kind)}]`),
  }));
  const widest = (lengths: number[]): number => Math.max(0, ...lengths);
  const [nameWidth, timesWidth] = [
    widest(rows.map(({ name }) => name.length)),
    widest(rows.map(({ times }) => times.length)),
  ];
  const lines = rows.map(({ name, times, rest }) => `${name.padEnd(nameWidth)} ${times.padStart(timesWidth)} ${rest}`);
  if (dropped > 0) lines.push(`and ${number(dropped)} more`);
  if (!complete) lines.push('later calls were not seen');
  return [...lines, makeSafe(verdictLine(result))];
}
