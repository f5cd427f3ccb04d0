// The report of `syswire reconcile`: values for programs, a table for people.
import { osError } from '../../../syscalls/bindings/errno.js';
import type { Finding } from './align/steps.js';
import type { Field } from './explain/explanation.js';
import type { Format } from './traces.js';

const COUNTS = ['matched', 'missing', 'altered', 'extra', 'unobservable'] as const;

/** A difference: the record, and the writes that the trace has of it. */
export type Detail = {
  kind: 'missing' | 'altered' | 'extra';
  seq: number | null;
  fd: number;
  differs: readonly Field[];
  record: { time: number; level: string; count: number; result: number | null; preview: string } | null;
  trace: { line: number; count: number; result: number | null; preview: string | null }[];
};

export type Report = {
  format: Format;
  counts: Record<(typeof COUNTS)[number], number>;
  details: Detail[];
  /** The number of differences that are not in `details`, because there are too many. */
  leftOut: number;
  /** The number of records that the tracer could not see, by level. */
  unobservable: Record<string, number>;
  notes: string[];
};

/** The most differences that the table shows. */
const SHOWN = 50;

/** Makes a detail of a finding. @returns null if it is no difference */
export function toDetail(finding: Finding): Detail | null {
  if (finding.kind === 'matched') return null;
  const writes = finding.kind === 'extra' ? [finding.write] : finding.writes;
  const trace = writes.map(({ line, count, result, text }) => ({
    line,
    count,
    result: result ?? null,
    preview: text ?? null,
  }));
  if (finding.kind === 'extra')
    return { kind: 'extra', seq: null, fd: finding.write.fd, differs: [], record: null, trace };
  const { seq, fd, time, level, count, result, text } = finding.call;
  const record = { time, level, count, result: result ?? null, preview: text };
  return { kind: finding.kind, seq, fd, differs: finding.differs, record, trace };
}

type Values = { count: number; result: number | null; preview: string | null };

/** Returns text such as `28 → -28 ENOSPC "hello"`: bytes asked for, result, first bytes. */
function inWords({ count, result, preview }: Values): string {
  const error = result !== null && result < 0 ? ` ${osError(result)?.code}` : '';
  const bytes = preview === null ? '' : ` "${preview.length > 24 ? `${preview.slice(0, 24)}…` : preview}"`;
  return `${count} → ${result ?? '?'}${error}${bytes}`;
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
export function describe({ counts, details, leftOut, notes }: Report): string {
  const lines = toTable(COUNTS.map((kind) => [kind.padEnd(12), String(counts[kind])]));
  for (const note of notes) lines.push(`note: ${note}`);
  if (details.length === 0) return lines.join('\n');
  const rows = details
    .slice(0, SHOWN)
    .map(({ kind, seq, fd, differs, record, trace }) => [
      differs.length > 0 ? `${kind}: ${differs.join(', ')}` : kind,
      seq === null ? '' : String(seq),
      String(fd),
      record ? `${record.level} ${inWords(record)}` : 'no record',
      trace.length > 0 ? trace.map((write) => `line ${write.line}: ${inWords(write)}`).join('; ') : 'not in the trace',
    ]);
  lines.push('', ...toTable([['what', 'seq', 'fd', 'the record', 'the trace'], ...rows]));
  const more = details.length - Math.min(SHOWN, details.length) + leftOut;
  if (more > 0) lines.push(`and ${more} more${leftOut > 0 ? '' : ': --json has them'}`);
  return lines.join('\n');
}
