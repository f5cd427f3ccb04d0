// Runs in Windows' node.exe, in a folder with dist/ and compiled/: makes the calls of one scenario and writes their
// results to report.json.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import koffi from '@koromix/koffi-win32-x64';
import { levels, osError } from './compiled/syscalls/index.js';
import { openNull } from './compiled/syscalls/targets/null.js';
import { adoptTarget, openTarget } from './compiled/syscalls/targets/target.js';
import { waitForRoom } from './compiled/syscalls/targets/wait-for-room.js';

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

const kernel32 = koffi.load('kernel32.dll');
/** Returns a descriptor of a handle. */
const openHandle = koffi.load(null).func('int uv_open_osfhandle(intptr_t handle)');

/** Makes a Windows pipe. @returns descriptors of its two ends, and the handle of the one for writing */
function pipe() {
  const createPipe = kernel32.func(
    'int __stdcall CreatePipe(_Out_ intptr_t *read, _Out_ intptr_t *write, void *security, uint32_t size)',
  );
  const [reader, writer] = [[0], [0]];
  if (!createPipe(reader, writer, null, 0)) throw new Error('no pipe');
  return { reader: openHandle(reader[0]), writer: openHandle(writer[0]), handle: writer[0] };
}

const getMode = kernel32.func(
  'int __stdcall GetNamedPipeHandleStateW(intptr_t handle, _Out_ uint32_t *mode, void *instances, void *collect, void *timeout, void *user, uint32_t size)',
);
const setMode = kernel32.func(
  'int __stdcall SetNamedPipeHandleState(intptr_t handle, const uint32_t *mode, void *collect, void *timeout)',
);

/** Returns a pipe's mode: 0 where writers wait, 1 (PIPE_NOWAIT) where they do not. */
function modeOf(handle) {
  const mode = [0];
  if (!getMode(handle, mode, null, null, null, null, 0)) throw new Error('no mode');
  return mode[0];
}

/** Numbers, so that a byte that is lost, doubled or moved is seen. */
const counted = (length) => Buffer.from(Uint32Array.from({ length: length / 4 }, (_, index) => index).buffer);

/** Writes `bytes` to a pipe that is read only while a call took nothing, and then in small pieces. */
function writeWhileRead({ reader, writer }, level, bytes) {
  const received = [];
  const calls = [];
  let [written, read] = [0, 0];
  const piece = Buffer.alloc(1000);
  while (read < bytes.length) {
    const start = performance.now();
    const result = level.write(writer, bytes.subarray(written));
    calls.push({ result, ms: performance.now() - start });
    if (result < 0) break;
    written += result;
    if (result > 0 && written < bytes.length) continue;
    // Do not read an empty pipe: that would wait.
    if (read === written) break;
    const length = readSync(reader, piece);
    received.push(Buffer.from(piece.subarray(0, length)));
    read += length;
  }
  return {
    isWhole: Buffer.concat(received).equals(bytes),
    first: calls.slice(0, 3).map(({ result }) => result),
    isQuick: calls.every(({ ms }) => ms < 1000),
  };
}

/** Makes a request. @returns its answer's body */
async function ask(port, method, path, body) {
  const sent = request({ port, host: '127.0.0.1', method, path, headers: { 'content-type': 'application/json' } });
  sent.end(body && JSON.stringify(body));
  const [answer] = await once(sent, 'response');
  let text = '';
  for await (const part of answer) text += part;
  return JSON.parse(text);
}

/** Waits until a log says that the service listens. @returns its port */
async function portIn(log) {
  for (;;) {
    await sleep(50);
    const [, port] = /127\.0\.0\.1:(\d+)/.exec(readFileSync(log, 'utf8')) ?? [];
    if (port) return port;
  }
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

  null() {
    const { fd, kind, reason, close } = openNull();
    const results = [os, std].flatMap((level) =>
      [0, 1, 200_000].map((length) => level.write(fd, Buffer.alloc(length))),
    );
    close();
    return { kind, reason, results };
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

  kinds() {
    const socket = koffi.load('ws2_32.dll').func('intptr_t __stdcall socket(int domain, int type, int protocol)');
    const file = openTarget('file', 'opened');
    const targets = [adoptTarget('a', pipe().writer), adoptTarget('b', openHandle(socket(2, 1, 0))), file];
    return targets.map(({ kind, shared, reason }) => ({ kind, shared, reason }));
  },

  /** stdout is a pipe or a socket of the Linux process that started wine: Windows cannot set its mode. */
  foreign() {
    const { kind, shared, reason } = adoptTarget('stdout', 1);
    return { kind, shared, reason };
  },

  slow() {
    return [os, std].map((level) => {
      const ends = pipe();
      const target = adoptTarget('slow', ends.writer);
      // Nobody reads yet.
      const start = performance.now();
      const results = Array.from({ length: 5 }, () => level.write(ends.writer, counted(200_000)));
      const isQuick = performance.now() - start < 5000;
      readSync(ends.reader, Buffer.alloc(100_000));
      const read = writeWhileRead(ends, level, counted(200_000));
      target.close();
      return { results, isQuick, read };
    });
  },

  async mode() {
    const { reader, writer, handle } = pipe();
    const modes = [modeOf(handle)];
    const first = adoptTarget('one', writer);
    const second = adoptTarget('two', writer);
    modes.push(modeOf(handle));
    // As Node's own stream does.
    setMode(handle, [0], null, null);
    const { reason } = first;
    modes.push(modeOf(handle));
    second.close();
    modes.push(modeOf(handle));
    const whileOpen = os.write(writer, Buffer.alloc(10_000));
    first.close();
    modes.push(modeOf(handle));
    const closed = first.reason;
    modes.push(modeOf(handle));
    // A writer that waits offers all of its bytes again: these fit.
    readSync(reader, Buffer.alloc(10_000));
    return { modes, reason, closed, whileOpen, after: os.write(writer, Buffer.alloc(100)) };
  },

  async wait() {
    const never = new AbortController().signal;
    const start = performance.now();
    let tries = 0;
    while (await waitForRoom(1, start + 200, never)) tries += 1;
    return { tries, ms: performance.now() - start };
  },

  /**
   * Runs `npm start -- --port 0` in project/, in cmd.exe, and the commands beside it. The path of npm's program is in the
   * environment.
   */
  async npmStart() {
    const log = openSync('log', 'w');
    const env = { ...process.env, PATH: `${path.dirname(process.execPath)};${process.env.PATH}` };
    const args = [process.env.NPM_PROGRAM, 'start', '--silent', '--', '--port', '0'];
    const npm = spawn(process.execPath, args, { cwd: 'project', stdio: ['ignore', log, log], env });
    npm.on('exit', () => process.exit(2));
    const port = await portIn('log');
    const { pid } = await ask(port, 'GET', '/health');
    const command = async (...words) => {
      const child = spawn(process.execPath, ['dist/cli/main.js', ...words, '--url', `http://127.0.0.1:${port}`]);
      const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
      return output + errors;
    };
    const write = await command('write', 'std', 'hello', '--target', 'null');
    const burst = await command('burst', 'os', 'x', '--count', '10', '--target', 'null', '--json');
    npm.removeAllListeners('exit');
    process.kill(pid);
    await once(npm, 'exit');
    return { write, burst };
  },

  /** Runs the service with a stdout that is not read, and its log in the file `log`. */
  async service() {
    const log = openSync('log', 'w');
    const service = spawn(process.execPath, ['dist/cli/main.js', '--port', '0'], { stdio: ['ignore', 'pipe', log] });
    service.on('exit', () => process.exit(2));
    const port = await portIn('log');
    const bytes = counted(200_000);
    const write = (level, timeoutMs) =>
      ask(port, 'POST', '/write', { level, timeoutMs, msg: bytes.toString('base64'), encoding: 'base64' });
    const report = { slow: [], health: [] };
    for (const level of ['os', 'std', 'os', 'std']) {
      const { written, error } = await write(level, 0);
      report.slow.push({ written, error });
      report.health.push((await ask(port, 'GET', '/health')).status);
    }
    const late = await write('os', 300);
    report.late = { written: late.written, error: late.error };
    const received = [];
    service.stdout.on('data', (part) => received.push(part));
    report.waited = [];
    for (const level of ['os', 'std']) {
      const { written, calls, error } = await write(level, 10_000);
      report.waited.push({ written, error, inParts: calls > 1 });
    }
    service.removeAllListeners('exit');
    service.kill();
    await once(service.stdout, 'end');
    const expected = [...report.slow, late, ...report.waited].map(({ written }) => bytes.subarray(0, written));
    report.isWhole = Buffer.concat(received).equals(Buffer.concat(expected));
    return report;
  },
};

writeFileSync('report.json', JSON.stringify(await scenarios[process.argv[2]]()));
