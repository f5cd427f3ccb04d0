// The window of --since, --until and --request-id: the records that are judged.
import { UsageError } from '../../command.js';
import type { RecordedCall } from './record-line.js';

/** Is the record judged? */
export type Window = (call: RecordedCall) => boolean;

/** The smallest numbers that are taken as seconds and as milliseconds since 1970; smaller ones number records. */
const SECONDS = 1e9;
const MILLISECONDS = 1e11;

/** An end of the window: the number of a record, or a time in milliseconds since 1970. */
type Bound = { seq: number } | { time: number };

function parseBound(flag: string, text: string): Bound {
  if (/^\d+(\.\d+)?$/.test(text)) {
    const value = Number(text);
    if (value >= MILLISECONDS) return { time: value };
    if (value >= SECONDS) return { time: value * 1000 };
    if (Number.isInteger(value)) return { seq: value };
  }
  const [day] = /^\d{4}-\d\d-\d\d/.exec(text) ?? [];
  // Date would take February 31 as March 3.
  const isDay = day !== undefined && !Number.isNaN(Date.parse(day)) && new Date(day).toISOString().startsWith(day);
  const time = isDay ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time))
    throw new UsageError(
      `${flag} ${text}: is neither the number of a record nor a time: give 17, 2026-01-01T00:00:00Z, or seconds or milliseconds since 1970`,
    );
  return { time };
}

/** Returns the window of the flags, null if they set none. @throws UsageError */
export function parseWindow(
  since: string | undefined,
  until: string | undefined,
  requestId: string | undefined,
): Window | null {
  if (since === undefined && until === undefined && requestId === undefined) return null;
  const from = since === undefined ? undefined : parseBound('--since', since);
  const to = until === undefined ? undefined : parseBound('--until', until);
  return (call) => {
    if (requestId !== undefined && call.requestId !== requestId) return false;
    if (from && ('seq' in from ? call.seq < from.seq : call.time < from.time)) return false;
    return !to || ('seq' in to ? call.seq <= to.seq : call.time <= to.time);
  };
}
