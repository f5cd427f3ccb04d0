// Runs in Windows' node.exe, in a folder with dist/: makes the calls of one scenario and writes their results to
// report.json.
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import koffi from 'koffi';
import { levels, osError } from './dist/syscalls/index.js';

const { raw, os, std } = levels;
const X = Buffer.from('x');

/** Writes until all bytes are written or a call fails. @returns the result of each call */
function write(fd, bytes) {
  const results = [];
  let at = 0;
  do {
    results.push(os.write(fd, bytes.subarray(at)));
    at += results.at(-1);
  } while (results.at(-1) > 0 && at < bytes.length);
  return results;
}

const payloads = () => JSON.parse(readFileSync('payloads.json', 'utf8')).map((text) => Buffer.from(text, 'base64'));

/** Makes a Windows pipe. @returns descriptors of its two ends, made by libuv's function that node.exe exports */
function pipe() {
  const createPipe = koffi
    .load('kernel32.dll')
    .func('int __stdcall CreatePipe(_Out_ intptr_t *read, _Out_ intptr_t *write, void *security, uint32_t size)');
  const open = koffi.load(null).func('int uv_open_osfhandle(intptr_t handle)');
  const [reader, writer] = [[0], [0]];
  if (!createPipe(reader, writer, null, 0)) throw new Error('no pipe');
  return { reader: open(reader[0]), writer: open(writer[0]) };
}

const scenarios = {
  stdout: () => payloads().map((bytes) => write(1, bytes)),

  levels: () => ({
    platform: process.platform,
    available: Object.values(levels).map(({ id, available, reason }) => [id, available, reason !== null]),
    raw: raw.write(1, X),
  }),

  file() {
    const fd = openSync('opened', 'w');
    const results = payloads().map((bytes) => write(fd, bytes));
    closeSync(fd);
    return { fd, results };
  },

  pipe() {
    const { reader, writer } = pipe();
    const written = os.write(writer, Buffer.from([0, 1, 0xff]));
    const bytes = Buffer.alloc(10);
    const length = readSync(reader, bytes);
    closeSync(reader);
    const broken = os.write(writer, X);
    return { written, read: [...bytes.subarray(0, length)], broken: osError(broken) };
  },

  errors() {
    const closed = openSync('opened', 'w');
    closeSync(closed);
    const results = [closed, 5000, -1].map((fd) => os.write(fd, X));
    const words = { closed: osError(results[0]), std: osError(std.write(closed, X)), unknown: osError(-9999) };
    writeFileSync('read-only', '');
    const readOnly = openSync('read-only', 'r');
    return { results, ...words, readOnly: osError(os.write(readOnly, X)) };
  },
};

writeFileSync('report.json', JSON.stringify(scenarios[process.argv[2]]()));
