// The report of `syswire reconcile`: values for programs, a table for people.
import { AGREES } from '../../../protocol/system-call.js';
import { osError } from '../../../syscalls/bindings/errno.js';
import type { Finding } from './align/steps.js';
import type { Field } from './explain/explanation.js';
import type { CallName, Format } from './formats/format.js';
import { type Opinion, type OpinionCounts, opinionOf } from './opinion.js';
import type { Run } from './runs.js';
import type { Witness } from './witness.js';

const COUNTS = ['matched', 'missing', 'altered', 'extra', 'unobservable'] as const;

/** A system call as one side has it. */
type Seen = { name: CallName; count: number; result: number | null; preview: string | null };

/** A difference: the record, the writes that the trace has of it, and those that its witness saw. */
export type Detail = {
  kind: 'missing' | 'altered' | 'extra';
  seq: number | null;
  fd: number;
  differs: readonly Field[];
  record: { time: number; level: string; count: number; result: number | null; preview: string } | null;
  trace: ({ file?: string; line: number } & Seen)[];
  /** Null if the record has no witness. */
  witness: { agreesWith: Opinion; calls: Seen[]; verdict: string } | null;
};

export type Report = {
  format: Format;
  counts: Record<(typeof COUNTS)[number], number>;
  /** Records that were not watched or are outside of the window, and traced writes of records that are gone. */
  apart: { notWatched: number; outside: number; unrecorded: number };
  runs: JudgedRun[];
  details: Detail[];
  /** The number of differences that are not in `details`, because there are too many. */
  leftOut: number;
  /** The number of records that the tracer could not see, by level and reason. */
  unobservable: Map<string, number>;
  notes: string[];
  /** The number of matched records whose result the trace does not show. */
  withoutResult: number;
  /** Is a line of the trace older than the one before it? */
  isOutOfOrder: boolean;
  witness: OpinionCounts;
};

/** A run of the service that the records are of. Times are in milliseconds since 1970. */
export type JudgedRun = {
  run: string | null;
  pids: number[];
  records: number;
  first: number;
  last: number;
  isJudged: boolean;
};

export const describeRun = ({ id, pids, count, first, last }: Run, isJudged: boolean): JudgedRun => ({
  run: id,
  pids: [...pids],
  records: count,
  first,
  last,
  isJudged,
});

export const differencesOf = ({ counts: { missing, altered, extra } }: Report): number => missing + altered + extra;

/** Returns the report as a value for programs. */
export const toJson = ({ counts, apart, runs, witness, details, leftOut, notes }: Report): string =>
  JSON.stringify({ ...counts, ...apart, runs, witness, details, leftOut, notes });

/** The most differences that the table shows. */
const SHOWN = 50;

const toSeen = ({ name, count, result, text }: Witness['calls'][number]): Seen => ({
  name,
  count,
  result: result ?? null,
  preview: text ?? null,
});

/** Makes a detail of a finding. @returns null if it is no difference */
export function toDetail(finding: Finding): Detail | null {
  if (finding.kind === 'matched') return null;
  const writes = finding.kind === 'extra' ? [finding.write] : finding.writes;
  const trace = writes.map(({ file, ...write }) => ({ ...(file && { file }), line: write.line, ...toSeen(write) }));
  if (finding.kind === 'extra')
    return { kind: 'extra', seq: null, fd: finding.write.fd, differs: [], record: null, trace, witness: null };
  const { seq, fd, time, level, count, result, text } = finding.call.record ?? finding.call;
  const record = { time, level, count, result: result ?? null, preview: text };
  const agreesWith = opinionOf(finding);
  const { calls = [], verdict = '' } = finding.call.witness ?? {};
  const witness = agreesWith && { agreesWith, calls: calls.map(toSeen), verdict };
  return { kind: finding.kind, seq, fd, differs: finding.differs, record, trace, witness };
}

type Values = { count: number; result: number | null; preview: string | null };

/** Returns text such as `28 → -28 ENOSPC "hello"`: bytes asked for, result, first bytes. */
function inWords({ count, result, preview }: Values): string {
  const error = result !== null && result < 0 ? ` ${osError(result)?.code}` : '';
  const bytes = preview === null ? '' : ` "${preview.length > 24 ? `${preview.slice(0, 24)}…` : preview}"`;
  return `${count} → ${result ?? '?'}${error}${bytes}`;
}

/** Returns the same for a system call, with its name if it is not `write`: `io_uring_enter 2 → 2`. */
const callInWords = (call: Seen): string => `${call.name === 'write' ? '' : `${call.name} `}${inWords(call)}`;

const placeOf = ({ file, line }: Detail['trace'][number]): string => (file ? `${file}:${line}` : `line ${line}`);

/** Returns what the witness says, with the calls or the verdict where the other columns do not show them. */
function witnessInWords({ witness, record }: Detail): string {
  if (!witness) return '';
  const { agreesWith, calls, verdict } = witness;
  const seen = calls.map(callInWords).join('; ');
  const isShown = calls.length === 1 && record?.level !== 'uring';
  const WORDS: Record<Opinion, [says: string, more: string]> = {
    record: ['agrees with the record', isShown ? '' : seen],
    trace: ['agrees with the trace', verdict === AGREES ? '' : verdict],
    neither: ['agrees with neither', seen || verdict],
    unknown: ['cannot say', verdict],
  };
  return WORDS[agreesWith].filter((part) => part !== '').join(': ');
}

/** Returns a line for each row, with each column as wide as its widest cell. */
function toTable(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd(),
  );
}

/** Returns the report as text for people. */
export function describe({ counts, apart, details, leftOut, notes }: Report): string {
  const table = COUNTS.map((kind) => [kind.padEnd(12), String(counts[kind])]);
  if (apart.notWatched > 0) table.push(['not watched', String(apart.notWatched)]);
  const lines = toTable(table);
  for (const note of notes) lines.push(`note: ${note}`);
  if (details.length === 0) return lines.join('\n');
  const shown = details.slice(0, SHOWN);
  const rows = shown.map((detail) => {
    const { kind, seq, fd, differs, record, trace } = detail;
    return [
      differs.length > 0 ? `${kind}: ${differs.join(', ')}` : kind,
      seq === null ? '' : String(seq),
      String(fd),
      record ? `${record.level} ${inWords(record)}` : 'no record',
      trace.length > 0
        ? trace.map((write) => `${placeOf(write)}: ${callInWords(write)}`).join('; ')
        : 'not in the trace',
      witnessInWords(detail),
    ];
  });
  // Most records have no witness: then there is no column for it.
  const head = ['what', 'seq', 'fd', 'the record', 'the trace'];
  if (shown.some(({ witness }) => witness)) head.push('the witness');
  lines.push('', ...toTable([head, ...rows.map((row) => row.slice(0, head.length))]));
  const more = details.length - Math.min(SHOWN, details.length) + leftOut;
  if (more > 0) lines.push(`and ${more} more${leftOut > 0 ? '' : ': --json has them'}`);
  return lines.join('\n');
}
