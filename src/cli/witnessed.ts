// Prints what a witness saw, in answers and records. These come from a service, and --url may lead to any program: names,
// files and verdicts are made safe for a terminal, and a list with other fields is not read.
import type { BurstResult, WriteResult } from '../protocol/calls.js';
import { number } from '../protocol/format.js';
import { makeSafe } from '../protocol/preview.js';
import { reportOf, type WitnessReport } from '../protocol/system-call.js';
import { describeWitnessed, isAddress, printOrigin, printResult } from '../protocol/system-call-text.js';

/** The flag of the commands that ask a service for calls. */
export const WITNESS_FLAG = {
  help: 'list the system calls that the kernel got, and whether they confirm the result (Linux on x86-64)',
  field: 'witness',
} as const;

type Check = (value: unknown) => boolean;
type Untrusted = Record<string, unknown>;

const isObject = (value: unknown): value is Untrusted => typeof value === 'object' && value !== null;
const isText: Check = (value) => typeof value === 'string';
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const has =
  (fields: Record<string, Check>): Check =>
  (value) =>
    isObject(value) && Object.entries(fields).every(([field, check]) => check(value[field]));

/** The fields that the calls of a list and the kinds of a burst are printed with. By hand: zod takes 50 ms to load. */
const COMMON = {
  abi: isText,
  name: isText,
  result: orNull(Number.isInteger),
  error: orNull(has({ code: isText, message: isText })),
  origin: has({
    file: orNull(isText),
    offset: orNull(Number.isInteger),
    symbol: orNull(isText),
    address: isText,
  }),
};
const isRegister: Check = (value) => isText(value) || Number.isInteger(value);
const isCall = has({
  ...COMMON,
  arguments: (value) => Array.isArray(value) && value.every(isRegister),
  preview: orNull(isText),
});
const isKind = has({ ...COMMON, times: Number.isInteger });

/** Return whether a report can be printed. @param isItem checks a call or a kind */
const isReadable = ({ systemCalls, dropped, verdict }: Untrusted, isItem: Check): boolean =>
  Array.isArray(systemCalls) && systemCalls.every(isItem) && Number.isInteger(dropped) && isText(verdict);

const UNREADABLE = 'what the witness saw cannot be read: the service is none of syswire, or of another version';

/** Return what a witness saw of a write; null if there was none. */
export function readReport(result: Pick<WriteResult, keyof WitnessReport>): WitnessReport | null {
  const report = reportOf(result);
  if (report === null || isReadable(report, isCall)) return report;
  return { systemCalls: [], complete: true, dropped: 0, verdict: UNREADABLE };
}

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
  if (!isReadable({ systemCalls, dropped, verdict }, isKind)) return [UNREADABLE];
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
