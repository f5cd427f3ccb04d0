// The facts about a trace besides its writes, known when it has been read.

/** A number of lines, and the places of the first ones: `4`, or `trace.12:4` if the trace has several files. */
export type LineCount = { count: number; first: string[] };
const MOST_PLACES = 10;

export type Remarks = {
  /** Lines that are or should be writes, and could not be read. */
  unreadable: LineCount;
  /** Lines of other programs, or of the tracer to its user. */
  foreign: LineCount;
  lost: number;
  lines: number;
  /** The number of writes, on whatever descriptor. */
  writes: number;
  /** The first processes of the trace, and whether the service is one of all. */
  processes: Set<number>;
  hasService: boolean;
  /** Is a line older than the one before it? */
  isOutOfOrder: boolean;
};

export function addLine(lines: LineCount, place: string): void {
  lines.count += 1;
  if (lines.first.length < MOST_PLACES) lines.first.push(place);
}

/** Returns the facts about a trace of which nothing is read yet. */
export const createRemarks = (): Remarks => ({
  unreadable: { count: 0, first: [] },
  foreign: { count: 0, first: [] },
  lost: 0,
  lines: 0,
  writes: 0,
  processes: new Set(),
  hasService: false,
  isOutOfOrder: false,
});
