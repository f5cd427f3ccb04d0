// Formats a line of the stream as a row for people, and what a witness saw as lines below it.
import cliTruncate from 'cli-truncate';
import { clock, duration, number } from '../../../protocol/format.js';
import type { LevelId } from '../../../protocol/names.js';
import { makeSafe } from '../../../protocol/preview.js';
import type { CallRecord, Gap } from '../../../protocol/records.js';
import { AGREES } from '../../../protocol/system-call.js';
import { paint, type Style } from '../../colours.js';
import { readReport, reportLines } from '../../witnessed.js';
import type { Line } from './follow.js';

const LEVEL_STYLES: Record<LevelId, Style> = {
  raw: 'green',
  int80: 'cyan',
  uring: 'magenta',
  os: 'blue',
  std: 'white',
};

export type Look = {
  colour: boolean;
  /** The most columns of a row: a longer row is cut. Infinity cuts none. */
  width: number;
};

/** Narrow, so that most system calls fit into 80 columns with their origin. */
const INDENT = '    ';
/** In its place before a verdict that does not agree, so that it stands out without colours too. */
const MARK = '  ! ';

function callRow(call: CallRecord, { colour }: Look): string {
  const { seq, time, level, target, requested, written, error, durationNs } = call;
  const dye = (style: Style, text: string): string => (colour ? paint(style, text) : text);
  const isPartial = error === null && written < requested;
  const result = makeSafe(`${requested} → ${error?.code ?? written}`).padEnd(20);
  const cells = [
    `${seq}`.padStart(8),
    clock(time),
    dye(LEVEL_STYLES[level], level.padEnd(5)),
    makeSafe(target).padEnd(12),
    error ? dye('red', result) : isPartial ? dye('yellow', result) : result,
    duration(durationNs).padStart(8),
  ];
  return `${cells.join('  ')}  ${makeSafe(call.preview)}`.trimEnd();
}

const HEADER = `${'seq'.padStart(8)}  ${'time'.padEnd(12)}  level  ${'target'.padEnd(12)}  ${'asked → result'.padEnd(20)}  ${'took'.padStart(8)}  message`;

/** A text that fits comes back as it is. Any other would begin with an ellipsis. */
const fits = (text: string, width: number): boolean => cliTruncate(text, width, { position: 'start' }) === text;

/** Cut a text to the width. cli-truncate 4 measures emoji as two columns and cuts them as one, so it may cut too little. */
function cut(text: string, { width }: Look): string {
  if (width === Infinity) return text;
  let shown = cliTruncate(text, width);
  for (let columns = width - 1; !fits(shown, width); columns--) shown = cliTruncate(text, columns);
  return shown;
}

/** Return the names of the columns. */
export const header = (look: Look): string => cut(HEADER, look);

/** Format a line. @returns null for a hello and an end, which are of no interest to people */
export function row({ value }: Line, look: Look): string | null {
  if (value.type === 'hello' || value.type === 'end') return null;
  return cut(wholeRow(value, look), look);
}

/** Format what a witness saw of a call, for the lines below its row. Empty if there was no witness. */
export function rowsBelow({ value }: Line, look: Look): string[] {
  const report = value.type === 'call' ? readReport(value) : null;
  if (report === null) return [];
  const lines = reportLines(report);
  const verdict = lines.pop() as string;
  const isMarked = report.verdict !== AGREES;
  const last = `${isMarked ? MARK : INDENT}${verdict}`;
  const rows = [...lines.map((line) => `${INDENT}${line}`), isMarked && look.colour ? paint('red', last) : last];
  return rows.map((text) => cut(text, look));
}

function wholeRow(value: CallRecord | Gap, look: Look): string {
  if (value.type === 'call') return callRow(value, look);
  const { from, to } = value;
  const text =
    from === to
      ? `gap: record ${number(from)} is no longer kept`
      : `gap: ${number(to - from + 1)} records are no longer kept, ${number(from)} to ${number(to)}`;
  return look.colour ? paint('yellow', text) : text;
}
