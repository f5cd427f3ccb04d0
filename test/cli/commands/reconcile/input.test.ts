// Input as it comes: packed, with other line ends, in several files, with lines of megabytes, or still growing.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { countsOf, type Json, PRINT_ALL, printTrace, run } from '../../../support/reconcile/run.js';
import { type MadeCall, makeCalls, PID, PRINT, random } from '../../../support/reconcile/synthetic.js';
import { MAIN, tempFolder } from '../../../support/service.js';

const linesOf = (made: MadeCall[]): string => made.map(({ record }) => `${JSON.stringify(record)}\n`).join('');

/** Writes files into a folder, and compares them. */
async function reconcileFiles(t: TestContext, files: Record<string, string | Buffer>, flags: string[] = []) {
  const folder = tempFolder(t);
  const paths = Object.entries(files).map(([name, content]) => {
    const file = path.join(folder, name);
    writeFileSync(file, content);
    return file;
  });
  const { out } = await run([...paths, '--json', ...flags]);
  return JSON.parse(out) as Json;
}

const withReturns = (text: string): string => text.replaceAll('\n', '\r\n');

test('a trace and records are read packed, with a byte-order mark, and with the line ends of a terminal', async (t) => {
  const made = makeCalls(30, random(31), { levels: ['raw'] });
  const all = { matched: 30, missing: 0, altered: 0, extra: 0, unobservable: 0 };
  const records = linesOf(made);
  for (const format of PRINT_ALL) {
    const trace = printTrace(format, made);
    const inputs: [what: string, trace: string | Buffer, records: string | Buffer][] = [
      ['CRLF', withReturns(trace), withReturns(records)],
      ['gzip', gzipSync(trace), gzipSync(records)],
      ['two gzip files in one', Buffer.concat([gzipSync(trace.slice(0, 200)), gzipSync(trace.slice(200))]), records],
      ['a byte-order mark', `\ufeff${trace}`, `\ufeff${records}`],
      ['UTF-16', Buffer.from(`\ufeff${trace}`, 'utf16le'), records],
    ];
    for (const [what, ...files] of inputs) {
      const report = await reconcileFiles(t, { trace: files[0], records: files[1] });
      assert.deepEqual(countsOf(report), all, `${format}: ${what}`);
    }
  }
  const cut = gzipSync(printTrace('strace', made)).subarray(0, -20);
  await assert.rejects(reconcileFiles(t, { trace: cut, records }), /trace cannot be read: unexpected end of file/);
});

test('lines of many megabytes are read in little memory', { timeout: 60_000 }, (t) => {
  const folder = tempFolder(t);
  const size = 40 << 20;
  const made = makeCalls(3, random(32), { levels: ['raw'], fds: [18], message: () => 'x'.repeat(80) });
  for (const { record } of made) Object.assign(record, { requested: size, written: size });
  const [trace, records] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  writeFileSync(records, linesOf(made));
  for (const { writes } of made) {
    const [before, after] = PRINT.strace({ ...writes[0], count: size, result: size } as never).split(/x+/);
    appendFileSync(trace, `${before}${'x'.repeat(size)}${after?.replace('...', '')}\n`);
  }
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--max-old-space-size=40', MAIN, 'reconcile', '--json', trace, records],
    { encoding: 'utf8' },
  );
  assert.equal(status, 0, stderr);
  assert.equal((JSON.parse(stdout) as Json).matched, 3);
});

test('the files of strace -ff are one trace: their names say the thread, and their times the order', async (t) => {
  const made = makeCalls(60, random(33), { levels: ['raw'], fds: [18] });
  for (const [index, { record }] of made.entries()) if (index % 2 === 1) record.pid = 4712;
  const lines = printTrace('strace', made).trimEnd().split('\n');
  const of = (rest: number): string =>
    lines
      .flatMap((line, index) => (index % 2 === rest && index !== 21 ? `${line.replace(/^\d+ +/, '')}\n` : []))
      .join('');
  const files = { [`trace.${PID}`]: of(0), 'trace.4712': of(1), 'trace.4713': '', records: linesOf(made) };
  const report = await reconcileFiles(t, files);
  assert.deepEqual(countsOf(report), { matched: 59, missing: 1, altered: 0, extra: 0, unobservable: 0 });
  assert.equal(report.details[0]?.seq, 22);
  const altered = { ...files, 'trace.4712': of(1).replace(/\) = \d+\n$/, ') = 7\n') };
  const { details } = await reconcileFiles(t, altered);
  assert.deepEqual([details[1]?.kind, details[1]?.trace[0]?.line], ['altered', 29]);
  assert.match(details[1]?.trace[0]?.file ?? '', /trace\.4712$/);
});

test('files of two tracers are refused, and so is standard input given twice', async (t) => {
  const made = makeCalls(3, random(34), { levels: ['raw'] });
  const files = { a: printTrace('strace', made), b: printTrace('perf', made), records: linesOf(made) };
  await assert.rejects(
    reconcileFiles(t, files),
    /a is a strace trace and .*b a perf trace: give the files of one tracer/,
  );
  await assert.rejects(run(['-', 'trace', '-']), /standard input is given twice/);
});

const HELLO = `${JSON.stringify({ type: 'hello', run: 'r1', pid: PID, started: 1, host: 'h', version: '1', oldest: 1, next: 1 })}\n`;
const END = `${JSON.stringify({ type: 'end', run: 'r1', last: 20 })}\n`;

test('with --follow, the comparison begins when the run has ended and the trace has come to rest', async (t) => {
  const folder = tempFolder(t);
  const made = makeCalls(20, random(35), { levels: ['raw'] });
  const [trace, records] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  const child = spawn(process.execPath, [MAIN, 'reconcile', '--follow', '--json', trace, records]);
  t.after(() => child.kill());
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
  });
  // Neither file is there at first; each grows in parts that end within a line.
  const [traceText, recordsText] = [printTrace('strace', made), `${HELLO}${linesOf(made)}${END}`];
  for (let part = 0; part < 4; part++) {
    const share = (text: string): string =>
      text.slice(Math.floor((part * text.length) / 4), Math.floor(((part + 1) * text.length) / 4));
    appendFileSync(records, share(recordsText));
    await new Promise(setImmediate);
    appendFileSync(trace, share(traceText));
  }
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
  assert.equal((JSON.parse(out) as Json).matched, 20);
});

test('--follow gives up on records without an end, and refuses what cannot grow', async (t) => {
  const folder = tempFolder(t);
  const made = makeCalls(20, random(36), { levels: ['raw'] });
  const [trace, records] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  writeFileSync(trace, printTrace('strace', made));
  writeFileSync(records, `${HELLO}${linesOf(made)}`);
  await assert.rejects(
    run(['--follow', '--timeout', '50', trace, records]),
    /records has no end after 50 ms in which neither it nor the trace grew: the service runs on, or was killed; stop it/,
  );
  await assert.rejects(run(['--follow', trace, 'http://127.0.0.1:1']), /is a service: give --follow the file/);
  await assert.rejects(run(['--follow', trace, folder]), /is no file: leave --follow out/);
  // The end of a run that another one followed is not the end.
  appendFileSync(records, `${END}${HELLO}`);
  await assert.rejects(run(['--follow', '--timeout', '50', trace, records]), /has no end/);
});
