// The shape of a format of traces: its file says how a line is read, and what such a tracer can see at all.

/** The system calls that are read: `write`, and the call with which `uring` submits its write. */
export const ENTER = 'io_uring_enter';
export type CallName = 'write' | typeof ENTER;

/** A `write` as a tracer saw it, or an `io_uring_enter`: its descriptor is the ring, its count that of the entries. */
export type TracedWrite = {
  name: CallName;
  /** The file of its line, if the trace has several. */
  file?: string;
  /** The number of its line there, from 1. */
  line: number;
  /** In milliseconds; since 1970 if the tracer's clock counts from there. */
  time: number | undefined;
  /** The process; undefined if the tracer reports threads only. */
  pid: number | undefined;
  tid: number | undefined;
  fd: number;
  count: number;
  /** As the kernel returns it, −errno for an error; undefined if the tracer did not see the call end. */
  result: number | undefined;
  /** The first bytes, escaped as in a record's `preview`; undefined if the tracer does not show bytes. */
  text: string | undefined;
  /** Is `text` as long as the preview would be? False if the tracer cut the bytes off earlier. */
  isWhole: boolean;
};

/**
 * The content of a line: a write; a number of events that the tracer lost; `unreadable`, a line that is or should be
 * a write, of which no reader can be sure; `foreign`, no line of such a trace; a reason why the whole
 * trace is refused; null for any other line.
 */
export type LineContent =
  | Omit<TracedWrite, 'line'>
  | { lost: number }
  | { refused: string }
  | 'unreadable'
  | 'foreign'
  | null;
export type Reader = (line: string) => LineContent;

/** Is the content of a line a write, or the io_uring_enter of one? */
export const isCall = (content: LineContent): content is LineWrite =>
  content !== null && typeof content === 'object' && 'name' in content;

/** The fields of a write that its line says. */
export type LineWrite = Omit<TracedWrite, 'line'>;

export type Format = {
  /** The value of --format. */
  id: string;
  /** Its name in the documentation. */
  title: string;
  /** Does a line show that the trace is of this format? */
  recognises: (line: string) => boolean;
  /** Returns a reader of the lines of one trace. @param thread the thread of lines that name none */
  reader: (thread?: number) => Reader;
  /** The things that a tracer of this format can see at all. */
  sees: {
    bytes: boolean;
    results: boolean;
    int80: boolean;
    /** Is the io_uring_enter of `uring` read? */
    uring: boolean;
    clock: 'epoch' | 'day' | 'boot' | 'relative' | 'none';
    ids: 'process and thread' | 'thread' | 'process' | 'none';
  };
  /** The reason why calls of `int80` are not seen, as the end of a sentence that begins with the level. */
  hidesInt80?: string;
  /** The way to have io_uring_enter in a trace, as the end of a sentence; of formats without it the call is not read. */
  enters?: string;
  /** The command that makes such a trace. */
  command: string;
  /** The way in which the reader was held against the tracer. */
  basis: 'recorded live' | 'from its documentation';
  /** May lines come in another order than the calls were made? */
  isUnordered?: true;
  /** Is every line of such a trace of its format? Other tracers and programs print into most of them. */
  isStrict?: true;
};
