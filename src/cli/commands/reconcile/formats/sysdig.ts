// The objects that `sysdig -j` prints, and those of Falco's JSON output, which has the same fields in `output_fields`.
import { NOT_SHOWN, shown } from './bytes.js';
import { type Format, isCall, type LineContent, type LineWrite, type Reader } from './format.js';
import { createHalves } from './halves.js';
import { descriptorOf, integerOf } from './integers.js';
import { type Fields, fieldsOf, isFields, isoToMs, parseFields } from './json-line.js';
import { isRestart, resultOf } from './results.js';

// `evt.info` of the event when a call begins, and of that when it ends. Newer versions have no event when it begins,
// and repeat its arguments at the end. The bytes may look like arguments: these stand last.
const BEGUN = /^fd=(-?\d+)(?:\(.*\))? size=(\d+)\s*$/s;
const ENDED = /^res=(-?\d+)(?:\((E[A-Z0-9]+)\))? data=(.*)$/s;
const REPEATED = /^(.*) fd=(-?\d+)(?:\(.{0,4200}\))? size=(\d+)\s*$/s;

/** So many bytes of a buffer are captured without --snaplen. */
const SNAPLEN = 80;

/** Returns milliseconds for the ways in which the time of an event is printed. */
function timeOf(fields: Fields): number | undefined {
  const value = fields['evt.rawtime'] ?? fields['evt.time'] ?? fields['evt.outputtime'] ?? fields['evt.time.iso8601'];
  if (typeof value === 'number') return value / 1e6;
  if (typeof value !== 'string') return undefined;
  if (/^\d{19}$/.test(value)) return Number(value) / 1e6;
  const [, hour, minute, second] = /^(\d\d):(\d\d):(\d\d(?:\.\d+)?)$/.exec(value) ?? [];
  if (hour !== undefined) return (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000;
  return isoToMs(value);
}

/**
 * Returns the bytes as far as they are certain. By default a dot stands for every byte that is no printable ASCII, and
 * as many characters are printed as there are bytes; with -b they are base64.
 *
 * @param captured the number of bytes that the kernel took, or was to take from a call that failed
 */
function bytesOf(data: string, captured: number): Buffer | undefined {
  if (data.length === captured || (captured > SNAPLEN && data.length === SNAPLEN)) {
    const end = data.search(/[^ -~]|\./);
    return Buffer.from(end < 0 ? data : data.slice(0, end));
  }
  if (!/^[A-Za-z\d+/]*={0,2}$/.test(data) || data.length % 4 !== 0) return undefined;
  const bytes = Buffer.from(data, 'base64');
  return bytes.length <= captured ? bytes : undefined;
}

/** Returns the result of a call that failed, which is the name of its error; undefined for what is none. */
function codeOf(value: unknown): number | undefined {
  const result = typeof value === 'string' ? resultOf(undefined, value) : undefined;
  return result === 'unreadable' ? undefined : result;
}

/** Returns the bytes, result and arguments of an event at the end of a call. */
function parseEnd(fields: Fields, isBegun: boolean) {
  const info = fields['evt.info'] ?? fields['evt.args'];
  const [, number, code, rest = ''] = ENDED.exec(typeof info === 'string' ? info : '') ?? [];
  const repeated = isBegun ? null : REPEATED.exec(rest);
  const data = repeated ? repeated[1] : rest.replace(/ $/, '');
  const given = fields['evt.arg.data'] ?? fields['evt.buffer'];
  const res = fields['evt.rawres'] ?? fields['evt.rawarg.res'] ?? fields['evt.arg.res'];
  return {
    data: typeof given === 'string' ? given : number === undefined ? undefined : data,
    result: number !== undefined ? Number(number) : (integerOf(res) ?? codeOf(res)),
    code,
    fd: repeated?.[2] ?? fields['fd.num'] ?? fields['evt.rawarg.fd'] ?? fields['evt.arg.fd'],
    size: repeated?.[3] ?? fields['evt.rawarg.size'] ?? fields['evt.arg.size'],
  };
}

/** @see https://man7.org/linux/man-pages/man8/sysdig.8.html and https://falco.org/docs/reference/rules/supported-fields/ */
function createReader(): Reader {
  const halves = createHalves();

  function readBegin(tid: number, call: LineWrite, fields: Fields): LineContent {
    const info = fields['evt.info'] ?? fields['evt.args'];
    const [, fd = fields['fd.num'], size = fields['evt.rawarg.size'] ?? fields['evt.arg.size']] =
      BEGUN.exec(typeof info === 'string' ? info : '') ?? [];
    const [descriptor, count] = [descriptorOf(fd), integerOf(size)];
    if (descriptor === undefined || count === undefined) return 'unreadable';
    return halves.begin(tid, { ...call, fd: descriptor, count });
  }

  function readEnd(tid: number, call: LineWrite, fields: Fields): LineContent {
    const { data, result, fd, size } = parseEnd(fields, halves.has(tid));
    if (result === undefined) return 'unreadable';
    let content: LineContent;
    if (halves.has(tid)) content = halves.end(tid, result);
    else {
      const [descriptor, count] = [descriptorOf(fd), integerOf(size)];
      if (descriptor === undefined || count === undefined) return 'unreadable';
      content = isRestart(result) ? null : { ...call, fd: descriptor, count, result };
    }
    if (!isCall(content) || data === undefined) return content;
    const bytes = bytesOf(data, result < 0 ? content.count : result);
    return bytes ? { ...content, ...shown(bytes, bytes.length < content.count) } : content;
  }

  return (line) => {
    const event = parseFields(line);
    if (!event) return line.includes('"evt.type":"write"') ? 'unreadable' : null;
    const fields = isFields(event.output_fields) ? fieldsOf(event, 'output_fields') : event;
    if ((fields['evt.type'] ?? fields['syscall.type']) !== 'write') return null;
    const [tid, pid] = [integerOf(fields['thread.tid']), integerOf(fields['proc.pid'])];
    const call: LineWrite = {
      name: 'write',
      time: timeOf(fields) ?? isoToMs(event.time),
      pid,
      tid,
      fd: -1,
      count: 0,
      result: undefined,
      ...NOT_SHOWN,
    };
    // Without its direction, the arguments show which half an event is.
    const isBegin = (fields['evt.dir'] ?? (BEGUN.test(String(fields['evt.info'])) ? '>' : '<')) === '>';
    return (isBegin ? readBegin : readEnd)(tid ?? pid ?? 0, call, fields);
  };
}

export const sysdig: Format = {
  id: 'sysdig',
  title: 'sysdig -j, Falco JSON',
  recognises: (line) => /^\[?\{.*"(?:evt\.(?:type|num|dir|info)|output_fields)":/.test(line),
  reader: createReader,
  sees: { bytes: true, results: true, int80: true, uring: false, clock: 'epoch', ids: 'thread' },
  command: "sysdig -j -b -s 64 'evt.type = write and proc.pid = PID' > trace",
  basis: 'from its documentation',
};
