// Input that is not what it seems: each of these once gave a wrong verdict, or words that led away from the reason.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import {
  countsOf,
  type Json,
  PRINT_ALL,
  printTrace,
  reconcileCalls,
  reconcileLines,
  run,
} from '../../../support/reconcile/run.js';
import { type MadeCall, makeCalls, PRINT, random, type Write } from '../../../support/reconcile/synthetic.js';
import { tempFolder } from '../../../support/service.js';

const make = (count: number, seed: number, shift = 0): MadeCall[] => {
  const made = makeCalls(count, random(seed), { levels: ['raw'], fds: [18] });
  for (const { record, writes } of made) {
    record.time += shift;
    for (const write of writes) write.time += shift;
  }
  return made;
};
const lines = (made: MadeCall[]): string[] => made.map(({ record }) => JSON.stringify(record));
const notes = (report: Json): string => report.notes.join('\n');

test('with --attached, a trace that saw nothing of the service does not agree with its records', async (t) => {
  const made = make(5, 1);
  for (const trace of ['', 'strace: Process 4711 attached\n'])
    await assert.rejects(
      reconcileCalls(t, trace, made, ['--attached', '--format', 'strace']),
      /with --attached there is nothing to compare: none of the 5 records .* the tracer probably never attached/,
    );
});

test('a wrong --format is named as the reason why a trace has no write', async (t) => {
  const made = make(5, 2);
  for (const format of ['ltrace', 'qemu', 'audit', 'sysdig']) {
    const report = await reconcileCalls(t, printTrace('strace', made), made, ['--format', format]);
    assert.deepEqual([report.code, report.missing], [1, 5]);
    assert.match(notes(report), new RegExp(`no write that --format ${format} reads, and looks like one of strace: `));
    assert.doesNotMatch(notes(report), /never attached/);
  }
});

test('the service is found in a trace of many other processes', async (t) => {
  const made = make(5, 3);
  const write = made[0]?.writes[0] as Write;
  const others = Array.from({ length: 12 }, (_, index) => PRINT.strace(write).replace('4711', String(100 + index)));
  const report = await reconcileCalls(t, `${others.join('\n')}\n${printTrace('strace', made)}`, made);
  assert.deepEqual([report.code, report.notes], [0, []]);
});

test('an error that the traced program logs as JSON does not make NDJSON of the trace', async (t) => {
  const made = make(5, 4);
  for (const log of ['{"level":50,"err":{"code":"EADDRINUSE","syscall":"listen"}}', '{"level":30,"fd":5}']) {
    const report = await reconcileCalls(t, `${log}\n${printTrace('strace', made)}`, made);
    assert.deepEqual([report.code, report.matched], [0, 5], log);
  }
});

test('an NDJSON line with another name for write is refused', async (t) => {
  const made = make(5, 14);
  for (const syscall of ['"sys_write"', '"__x64_sys_write"', '"Write"', '1'])
    await assert.rejects(
      reconcileCalls(t, `{"syscall":${syscall},"fd":18,"count":2,"ret":2}\n`, made),
      (error: Error) =>
        error.message.endsWith(`trace:1: syscall is ${syscall}: give the name "write", or leave it out`),
    );
  // jq writes null for a field that is not there.
  const nulls = printTrace('ndjson', made).replaceAll('{', '{"syscall":null,');
  assert.equal((await reconcileCalls(t, nulls, made)).code, 0);
  const others = '{"syscall":"pwrite64","fd":18}\n{"syscall":"writev"}\n';
  assert.equal((await reconcileCalls(t, others + printTrace('ndjson', made), made)).code, 0);
});

test('a file that a tracer keeps for itself is named, and one of empty lines is empty', async (t) => {
  const made = make(5, 15);
  for (const [trace, says] of [
    ['PERFILE2h\0\0\0\n', /trace is what perf record keeps, .* perf script$/],
    ['\x17\bDtracing6\0\n', /trace is what trace-cmd record keeps, .* trace-cmd report -t$/],
    ['\n\n\n', /trace is empty: the tracer probably never attached/],
  ] as const)
    await assert.rejects(reconcileCalls(t, trace, made), says);
});

test('the write of a record that was cut at the end of the file is not extra', async (t) => {
  const made = make(5, 5);
  const last = JSON.stringify(made[4]?.record);
  const report = await reconcileLines(t, printTrace('strace', made), [...lines(made.slice(0, 4)), last.slice(0, 60)]);
  assert.deepEqual([countsOf(report).matched, report.extra, report.unrecorded], [4, 0, 1]);
});

test('a record whose time is no date is no record', async (t) => {
  const made = make(5, 6);
  (made[2] as MadeCall).record.time = 1e300;
  await assert.rejects(reconcileCalls(t, printTrace('strace', made), made), /records:3 is not a record/);
});

test('a number with a fraction, and a day that does not exist, is no time of a window', async (t) => {
  const made = make(5, 7);
  for (const time of ['5.5', '2025-02-31'])
    await assert.rejects(
      reconcileCalls(t, printTrace('strace', made), made, ['--since', time]),
      /--since [-\d.]+: is neither/,
    );
});

test('calls that match without a result are counted in a note', async (t) => {
  const made = make(5, 8);
  const trace = printTrace('strace', made).replace(/ = \d+\n/, ' = ?\n');
  const report = await reconcileCalls(t, trace, made);
  assert.equal(report.matched, 5);
  assert.match(notes(report), /^the trace has no result of 1 matched call: /m);
});

test('a service that is started again at once, with the same process id, is another run', async (t) => {
  const [first, second] = [make(5, 9), make(6, 10, 400)];
  const records = [...lines(first), ...lines(second)];
  for (const format of PRINT_ALL) {
    for (const [covered, other] of [
      [first, second],
      [second, first],
    ] as const) {
      const report = await reconcileLines(t, printTrace(format, covered), records);
      assert.deepEqual([report.matched, report.missing, report.extra], [covered.length, 0, 0], format);
      assert.match(
        notes(report),
        new RegExp(`another run of the service.* its ${other.length} records are not judged`),
      );
    }
    // A run of which the tracer saw one call is judged, and what it lost there is missing.
    const part = await reconcileLines(t, printTrace(format, [...first.slice(2, 3), ...second]), records);
    if (format === 'strace') assert.deepEqual([part.matched, part.missing, part.extra], [7, 4, 0]);
  }
});

test('a file that is given twice as a trace is refused, and two with the same name are not', async (t) => {
  const folder = tempFolder(t);
  const made = make(6, 11);
  const [one, two, link, records] = ['a/trace', 'b/trace', 'link', 'records'].map((name) =>
    path.join(folder, name),
  ) as [string, string, string, string];
  for (const name of ['a', 'b']) mkdirSync(path.join(folder, name));
  writeFileSync(one, printTrace('strace', made.slice(0, 3)));
  writeFileSync(two, printTrace('strace', made.slice(3)));
  symlinkSync(one, link);
  writeFileSync(records, lines(made).join('\n'));
  assert.equal((await run([two, one, records])).code, 0);
  await assert.rejects(run([one, two, one, records]), /a\/trace is given twice as a trace/);
  await assert.rejects(run([one, link, records]), /link is given twice as a trace/);
});

test('an address that answers with other JSON, or with one page for ever, is no service', {
  timeout: 10_000,
}, async (t) => {
  const trace = path.join(tempFolder(t), 'trace');
  writeFileSync(trace, printTrace('strace', make(5, 12)));
  const page = JSON.stringify({ events: Array(10_000).fill(make(1, 12)[0]?.record), next: 1, oldest: 1 });
  for (const answer of ['null', page]) {
    const server = createServer((_, response) => response.end(answer));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await assert.rejects(run([trace, address]), /is no syswire service: it has no events/);
    server.closeAllConnections();
  }
});

test('--follow says that the file of records is not there', async (t) => {
  const trace = path.join(tempFolder(t), 'trace');
  writeFileSync(trace, printTrace('strace', make(5, 13)));
  await assert.rejects(
    run([trace, `${trace}.none`, '--follow', '--timeout', '200']),
    /\.none is not there after 200 ms/,
  );
});
