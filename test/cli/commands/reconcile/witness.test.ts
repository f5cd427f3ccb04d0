// `syswire reconcile` with three sides: the record, its witness and the trace. Which of them does the witness agree with?
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { countsOf, printTrace, reconcileCalls, run } from '../../../support/reconcile/run.js';
import { editTrace, type MadeCall, makeCalls, PRINT, random } from '../../../support/reconcile/synthetic.js';
import {
  enter,
  linesOf,
  makeHello,
  printEnter,
  RING,
  type Says,
  systemCall,
  withWitness,
} from '../../../support/reconcile/witnessed.js';
import { MAIN, tempFolder } from '../../../support/service.js';

const { EINTR, ENOSPC } = constants.errno;

/** Writes, each as its count and result. */
type Results = [count: number, result: number][];
const writesOf = (results: Results) => makeHello(5, 'os', 5, results).writes;

/** Nine calls, of which the fifth is the one in question. */
const around = (call: MadeCall): MadeCall[] =>
  Array.from({ length: 9 }, (_, index) => (index === 4 ? call : withWitness(makeHello(index + 1, 'raw', 5, [[5, 5]]))));

/** The record says 5 → `written`. The trace and the witness have these writes. */
type Case = [
  name: string,
  level: string,
  written: number,
  trace: Results,
  witness: Results,
  says: Says,
  expected: string,
];

const CONTRADICTS = { verdict: 'write came from shim.so' };
const WHOLE = [[5, 5]] as Results;

const CASES: Case[] = [
  ['a line is deleted', 'os', 5, [], WHOLE, {}, 'missing: record'],
  ['a result is altered', 'raw', 5, [[5, 3]], WHOLE, {}, 'altered result: record'],
  ['an errno is altered', 'os', -ENOSPC, [[5, -EINTR]], [[5, -ENOSPC]], {}, 'altered result: record'],
  ['a count is altered', 'int80', 5, [[9, 5]], WHOLE, {}, 'altered count: record'],
  ['a library returned another count', 'os', 5, [[5, 4]], [[5, 4]], CONTRADICTS, 'altered result: trace'],
  ['a library wrote less', 'os', 5, [[4, 4]], [[4, 4]], CONTRADICTS, 'altered bytes,count,result: trace'],
  [
    'a library wrote byte by byte',
    'os',
    5,
    Array(5).fill([1, 1]),
    Array(5).fill([1, 1]),
    CONTRADICTS,
    'altered calls: trace',
  ],
  [
    'a library wrote twice',
    'os',
    5,
    [
      [5, 5],
      [5, 5],
    ],
    [
      [5, 5],
      [5, 5],
    ],
    CONTRADICTS,
    'altered calls: trace',
  ],
  ['a library made no call', 'os', 5, [], [], { verdict: 'no write was called' }, 'missing: trace'],
  ['the record was changed afterwards', 'raw', 4, WHOLE, WHOLE, {}, 'altered result: trace'],
  ['all three differ', 'os', 5, [[4, 3]], [[4, 4]], CONTRADICTS, 'altered bytes,count,result: neither'],
  ['the trace lacks what a library wrote', 'os', 5, [], [[4, 4]], CONTRADICTS, 'missing: neither'],
  [
    'the witness lost calls',
    'raw',
    5,
    [],
    [],
    { dropped: 70, verdict: 'only 0 of 70 calls were kept' },
    'missing: unknown',
  ],
  [
    'the witness ended early',
    'raw',
    5,
    [[5, 3]],
    WHOLE,
    { complete: false, verdict: 'later calls' },
    'altered result: unknown',
  ],
  [
    'a repetition after EINTR is deleted',
    'std',
    5,
    [
      [5, 2],
      [3, 3],
    ],
    [
      [5, 2],
      [3, -EINTR],
      [3, 3],
    ],
    {},
    'missing: record',
  ],
  [
    'a whole write before which EINTR is deleted',
    'std',
    5,
    WHOLE,
    [
      [5, -EINTR],
      [5, 5],
    ],
    {},
    'missing: record',
  ],
  [
    'a later write is altered',
    'std',
    5,
    [
      [5, 2],
      [3, 1],
    ],
    [
      [5, 2],
      [3, 3],
    ],
    {},
    'altered result: record',
  ],
  [
    'another rest was written',
    'std',
    5,
    [
      [5, 2],
      [3, 2],
    ],
    [
      [5, 2],
      [3, 2],
    ],
    { verdict: 'write returned 4' },
    'altered result: trace',
  ],
];

for (const [name, level, written, trace, witness, says, expected] of CASES) {
  test(`three sides: ${name}: ${expected}`, async (t) => {
    const call = withWitness(makeHello(5, level, written, trace), { writes: writesOf(witness), ...says });
    const calls = around(call);
    const {
      code,
      matched,
      extra,
      details,
      witness: opinions,
      notes,
    } = await reconcileCalls(t, linesOf(calls).join('\n'), calls);
    const [detail] = details;
    const { kind, differs, seq } = detail ?? assert.fail('no difference');
    assert.equal(
      `${[kind, ...(differs.length > 0 ? [differs.join()] : [])].join(' ')}: ${detail?.witness?.agreesWith}`,
      expected,
    );
    assert.deepEqual([code, matched, extra, details.length, seq], [1, 8, 0, 1, 5]);
    const agreesWith = expected.split(': ')[1] as string;
    assert.deepEqual(opinions, {
      records: 9,
      agreesWith: { record: 0, trace: 0, neither: 0, unknown: 0, [agreesWith]: 1 },
      unconfirmed: 0,
    });
    assert.match(notes.join('\n'), /^1 difference: the witness /);
  });
}

test('a record that matches the trace and not its witness stays matched, and a note names it', async (t) => {
  const elsewhere = withWitness(makeHello(5, 'os', 5, WHOLE), CONTRADICTS);
  const changed = withWitness(makeHello(5, 'os', 5, WHOLE), { writes: writesOf([[4, 4]]) });
  for (const [call, says] of [
    [elsewhere, 'record 5 matches, but its witness does not confirm it: write came from shim.so'],
    [
      changed,
      'record 5 matches, but its witness does not confirm it: its system calls do not explain it, though its verdict is "agrees"',
    ],
  ] as const) {
    const calls = around(call);
    const { code, matched, witness, notes } = await reconcileCalls(t, linesOf(calls).join('\n'), calls);
    assert.deepEqual([code, matched, witness.unconfirmed, notes], [0, 9, 1, [says]]);
  }
  const calls = [1, 2, 3].map((seq) => withWitness(makeHello(seq, 'os', 5, WHOLE), CONTRADICTS));
  const { notes } = await reconcileCalls(t, linesOf(calls).join('\n'), calls);
  assert.deepEqual(notes, [
    '3 records match, but their witnesses do not confirm them, first that of record 1: write came from shim.so',
  ]);
});

test('a write that no kernel could have answered so is missing if the witness saw it, and unobservable if not', async (t) => {
  const impossible = (writes: Results) => {
    const { record } = makeHello(5, 'os', 5, []);
    const error = { code: 'IMPOSSIBLE_COUNT', errno: 0, message: 'no' };
    return withWitness({ record: { ...record, error }, writes: [] }, { writes: writesOf(writes), verdict: 'no' });
  };
  for (const [seen, missing, unobservable] of [
    [WHOLE, 1, 0],
    [[], 0, 1],
  ] as [Results, number, number][]) {
    const calls = around(impossible(seen));
    const report = await reconcileCalls(t, linesOf(calls).join('\n'), calls);
    assert.deepEqual([report.missing, report.unobservable, report.extra], [missing, unobservable, 0]);
  }
});

test('a call of std that Node refused matches if neither the witness nor the trace has a write', async (t) => {
  const { record, writes } = makeHello(5, 'std', -9, []);
  const calls = around(withWitness({ record: { ...record, fd: -1 }, writes }));
  const report = await reconcileCalls(t, linesOf(calls).join('\n'), calls);
  assert.deepEqual([report.code, report.matched, report.missing], [0, 9, 0]);
});

for (const result of [5, -9]) {
  test(`a call of std that Node would have passed on is missing, though its witness agrees: ${result}`, async (t) => {
    const calls = around(withWitness(makeHello(5, 'std', result, [])));
    const report = await reconcileCalls(t, linesOf(calls).join('\n'), calls);
    assert.deepEqual([report.code, report.matched, report.missing], [1, 8, 1]);
  });
}

const MALFORMED: [name: string, says: Says][] = [
  ['a list that is none', { systemCalls: 'write' }],
  ['null among its calls', { systemCalls: [null] }],
  ['a call without a name', { systemCalls: [{ number: 1 }] }],
  ['a write without arguments', { systemCalls: [{ name: 'write', result: 5 }] }],
  ['a write without a result', { systemCalls: [{ name: 'write', arguments: [18, 0, 5] }] }],
  [
    'an argument that is no register',
    { systemCalls: [{ name: 'write', arguments: [18, { toString: 0 }, 5], result: 5 }] },
  ],
  [
    'an argument that cannot be a number',
    { systemCalls: [{ name: 'write', arguments: [{ toString: 0, valueOf: 0 }, 0, 5], result: 5 }] },
  ],
  ['no verdict', { verdict: undefined }],
  ['another kind of `complete`', { complete: 'yes' }],
  ['another kind of `dropped`', { dropped: null }],
];

for (const [name, says] of MALFORMED) {
  test(`a witness of another version counts as none: ${name}`, async (t) => {
    const calls = around(withWitness(makeHello(5, 'raw', 5, [[5, 3]]), { writes: writesOf(WHOLE), ...says }));
    const { code, altered, details, witness } = await reconcileCalls(t, linesOf(calls).join('\n'), calls);
    assert.deepEqual([code, altered, details[0]?.witness, witness.records], [1, 1, null, 8]);
  });
}

test('system calls of other kinds, and on other descriptors, are not compared', async (t) => {
  const others = [
    systemCall('write', [17, 0, 8], 8, '\\x01'),
    systemCall('syscall_999', [18], -38),
    { name: 'a call of a newer version' },
    systemCall('write', [18, 0, 5], 5, 'hello'),
  ];
  const calls = around(withWitness(makeHello(5, 'raw', 5, []), { systemCalls: others }));
  const { details } = await reconcileCalls(t, linesOf(calls).join('\n'), calls);
  assert.deepEqual(
    details.map(({ witness }) => witness),
    [{ agreesWith: 'record', calls: [{ name: 'write', count: 5, result: 5, preview: 'hello' }], verdict: 'agrees' }],
  );
});

test('bytes of the trace, the record and the witness are compared as far as each has them', async (t) => {
  // The witness keeps the bytes that were written; a character of the last one may be cut in two.
  const bytes = Buffer.from('hé');
  const partial = (written: number, preview: string) => {
    const { record } = makeHello(5, 'raw', written, []);
    const write = { time: record.time + 0.01, fd: 18, count: 3, result: written, bytes };
    const systemCalls = [systemCall('write', [18, 0, 3], written, preview)];
    return withWitness({ record: { ...record, requested: 3, preview: 'hé' }, writes: [write] }, { systemCalls });
  };
  for (const [written, preview, count] of [
    [2, 'h\ufffd', 0],
    [3, 'hé', 0],
    [2, 'x\ufffd', 1],
    [3, 'h', 1],
  ] as const) {
    const calls = around(partial(written, preview));
    const { code, witness } = await reconcileCalls(t, linesOf(calls).join('\n'), calls);
    assert.deepEqual([code, witness.unconfirmed], [0, count], preview);
  }
});

test('a trace without bytes cannot contradict a record whose bytes were changed, but its witness does', async (t) => {
  const changed = withWitness(makeHello(5, 'os', 5, WHOLE), {
    systemCalls: [systemCall('write', [18, 0, 5], 5, 'jello')],
    verdict: 'write was given other bytes: "jello"',
  });
  const calls = around(changed);
  const { code, witness } = await reconcileCalls(t, printTrace('ndjson', calls), calls);
  assert.deepEqual([code, witness.unconfirmed], [0, 1]);
});

test('each deleted, altered or added line is found, and the witness agrees with the record', async (t) => {
  const made = makeCalls(5000, random(31)).map((call) => withWitness(call));
  const { writes, expected, seqs } = editTrace(made, 0.1, random(32), ['deleted', 'altered', 'added']);
  const report = await reconcileCalls(t, writes.map(PRINT.strace).join('\n'), made);
  assert.deepEqual(countsOf(report), expected);
  const differences = report.details.filter(({ kind }) => kind !== 'extra');
  assert.deepEqual(
    differences.map(({ seq, witness }) => [seq, witness?.agreesWith]),
    seqs.map((seq) => [seq, 'record']),
  );
});

test('a run whose every call a library changed is told from a wrong trace', async (t) => {
  const made = Array.from({ length: 5000 }, (_, index) =>
    withWitness(makeHello(index + 1, 'os', 5, [[4, 4]]), { writes: writesOf([[4, 4]]), ...CONTRADICTS }),
  );
  const report = await reconcileCalls(t, printTrace('strace', made), made);
  assert.deepEqual([report.altered, report.missing, report.extra], [5000, 0, 0]);
  assert.equal(report.witness.agreesWith.trace, 5000);
});

/** Calls at `raw` and `uring` in turn, the latter with a witness if `isWitnessed`. */
const mixed = (count: number, isWitnessed: (seq: number) => boolean): MadeCall[] =>
  Array.from({ length: count }, (_, index) => {
    const seq = index + 1;
    const call = makeHello(seq, seq % 2 === 0 ? 'uring' : 'raw', 5, seq % 2 === 0 ? [] : WHOLE);
    return isWitnessed(seq) ? withWitness(call) : call;
  });

test('records of uring with a witness are compared by their io_uring_enter', async (t) => {
  const calls = mixed(40, () => true);
  const lines = linesOf(calls);
  const whole = await reconcileCalls(t, lines.join('\n'), calls);
  assert.deepEqual(
    [whole.code, countsOf(whole)],
    [0, { matched: 40, missing: 0, altered: 0, extra: 0, unobservable: 0 }],
  );
  // The lines of records 10, 21 and 30.
  lines[9] = '';
  lines[29] = (lines[29] as string).replace(/= 2$/, '= 1');
  const edited = await reconcileCalls(t, lines.join('\n'), calls);
  assert.deepEqual(countsOf(edited), { matched: 38, missing: 1, altered: 1, extra: 0, unobservable: 0 });
  const entered = { name: 'io_uring_enter', count: 2, result: 2, preview: null };
  assert.deepEqual(
    edited.details.map(({ kind, seq, fd, differs, record, trace, witness }) => [
      kind,
      seq,
      fd,
      differs,
      record?.count,
      trace,
      witness,
    ]),
    [
      ['missing', 10, 18, [], 5, [], { agreesWith: 'record', calls: [entered], verdict: 'agrees' }],
      [
        ...['altered', 30, 18, ['result'], 5],
        [{ line: 30, ...entered, result: 1 }],
        { agreesWith: 'record', calls: [entered], verdict: 'agrees' },
      ],
    ],
  );
});

test('a record of uring may have several io_uring_enter', async (t) => {
  const calls = mixed(20, (seq) => seq !== 10);
  calls[9] = withWitness(calls[9] as MadeCall, { systemCalls: [enter(2), enter(1)] });
  const lines = linesOf(calls);
  const first = lines[9] as string;
  const rest = printEnter((calls[9] as MadeCall).record.time + 0.02, 1);
  for (const [line, expected] of [
    [`${first}\n${rest}`, ''],
    [first, 'missing'],
    [rest, 'missing'],
    [`${first}\n${rest.replace(/1$/, '2')}`, 'altered'],
  ] as const) {
    const { details } = await reconcileCalls(t, lines.with(9, line).join('\n'), calls);
    assert.deepEqual(
      details.map(({ kind, seq }) => [kind, seq]),
      expected === '' ? [] : [[expected, 10]],
    );
  }
});

test('records of uring without a witness stay unobservable, and take no io_uring_enter from the others', async (t) => {
  const calls = mixed(80, (seq) => seq % 8 === 0);
  const lines = linesOf(calls);
  const whole = await reconcileCalls(t, lines.join('\n'), calls);
  assert.deepEqual(countsOf(whole), { matched: 50, missing: 0, altered: 0, extra: 0, unobservable: 30 });
  assert.deepEqual(whole.notes, ['30 at level uring, which is no write system call, and has no witness here']);
  lines[39] = '';
  const edited = await reconcileCalls(t, lines.join('\n'), calls);
  assert.deepEqual(
    edited.details.map(({ kind, seq }) => [kind, seq]),
    [['missing', 40]],
  );
  assert.equal(edited.unobservable, 30);
});

test('in a trace without io_uring_enter, records of uring stay unobservable, and a note says how to trace it', async (t) => {
  const calls = mixed(10, (seq) => seq !== 2);
  const writes = linesOf(calls).filter((line) => !line.includes('io_uring_enter'));
  // A signal of the witness names the call, whatever is traced.
  const signal = (writes[0] as string).replace(/write.*/, '--- SIGSYS {si_syscall=__NR_io_uring_enter} ---');
  const report = await reconcileCalls(t, [signal, ...writes].join('\n'), calls);
  assert.deepEqual([report.code, report.matched, report.unobservable], [0, 5, 5]);
  assert.deepEqual(report.notes.sort(), [
    '1 at level uring, which is no write system call',
    '4 at level uring, which is no write system call: trace its io_uring_enter too, with -e trace=write,io_uring_enter',
  ]);
});

test('an io_uring_enter of no record is extra only with --strict', async (t) => {
  const calls = mixed(10, () => true);
  const { time } = (calls[4] as MadeCall).record;
  const lines = linesOf(calls);
  lines.splice(4, 0, printEnter(time - 0.3), printEnter(time - 0.2).replace(`${RING}<`, '31<'));
  const others = [printEnter(time - 100), ...lines, printEnter(time + 100)];
  const report = await reconcileCalls(t, others.join('\n'), calls);
  assert.deepEqual([report.code, report.matched, report.extra], [0, 10, 0]);
  const strict = await reconcileCalls(t, others.join('\n'), calls, ['--strict']);
  assert.deepEqual([strict.code, strict.matched, strict.extra], [1, 10, 4]);
  // If no record has an io_uring_enter, none is read.
  const plain = calls.filter(({ record }) => record.level === 'raw');
  assert.equal((await reconcileCalls(t, others.join('\n'), plain, ['--strict'])).extra, 0);
});

test('an io_uring_enter is not taken for a write on a descriptor of the same number', async (t) => {
  const calls = mixed(20, () => true);
  // "hi" on descriptor 25 has the values of an io_uring_enter on that ring. Its line is deleted.
  const { record } = calls[8] as MadeCall;
  calls[8] = { record: { ...record, fd: RING, requested: 2, written: 2, preview: 'hi' }, writes: [] };
  const timeless = linesOf(calls).map((line) => line.replace(/^(\d+) +[\d.]+/, '$1'));
  const { details } = await reconcileCalls(t, timeless.join('\n'), calls);
  assert.deepEqual(
    details.map(({ kind, seq }) => [kind, seq]),
    [['missing', 9]],
  );
});

test('a trace with io_uring_enter may come from a pipe, and in NDJSON', (t) => {
  const folder = tempFolder(t);
  const calls = mixed(40, () => true);
  const ndjson = calls.flatMap(({ record, writes }) =>
    record.level === 'uring'
      ? [JSON.stringify({ tid: record.pid, syscall: 'io_uring_enter', fd: RING, count: 2, ret: 2 })]
      : writes.map(PRINT.ndjson),
  );
  writeFileSync(path.join(folder, 'strace'), linesOf(calls).join('\n'));
  writeFileSync(path.join(folder, 'ndjson'), ndjson.join('\n'));
  writeFileSync(path.join(folder, 'records'), calls.map(({ record }) => JSON.stringify(record)).join('\n'));
  const temporary = path.join(folder, 'empty');
  for (const script of [
    '"$1" "$0" reconcile - records <strace',
    '"$1" "$0" reconcile <(cat strace) <(cat records)',
    '"$1" "$0" reconcile ndjson records',
  ]) {
    const { status, stdout, stderr } = spawnSync(
      'bash',
      ['-c', `mkdir -p empty && ${script} && rmdir empty`, MAIN, process.execPath],
      { cwd: folder, encoding: 'utf8', env: { ...process.env, TMPDIR: temporary }, timeout: 30_000 },
    );
    assert.deepEqual([status, stderr, stdout.split('\n')[0]], [0, '', 'matched       40'], script);
  }
});

test('the table has a column for the witness, if a difference has one', async (t) => {
  const folder = tempFolder(t);
  const calls = around(withWitness(makeHello(5, 'os', 5, [[4, 4]]), { writes: writesOf([[4, 4]]), ...CONTRADICTS }));
  calls[5] = withWitness(makeHello(6, 'uring', 5, []));
  calls[6] = makeHello(7, 'raw', 5, WHOLE);
  const lines = linesOf(calls).map((line, index) => (index === 5 ? line.replace(/2$/, '1') : line));
  lines.splice(6, 1);
  const [trace, records] = [path.join(folder, 'trace'), path.join(folder, 'records')];
  writeFileSync(trace, lines.join('\n'));
  writeFileSync(records, calls.map(({ record }) => JSON.stringify(record)).join('\n'));
  const { out } = await run([trace, records]);
  assert.equal(
    out,
    [
      'matched       6',
      'missing       1',
      'altered       2',
      'extra         0',
      'unobservable  0',
      'note: 1 difference: the witness agrees with the record, against the trace',
      'note: 1 difference: the witness agrees with the trace, against the record',
      '',
      'what                           seq  fd  the record           the trace                     the witness',
      'altered: bytes, count, result  5    18  os 5 → 5 "hello"     line 5: 4 → 4 "hell"          agrees with the trace: write came from shim.so',
      'altered: result                6    18  uring 5 → 5 "hello"  line 6: io_uring_enter 2 → 1  agrees with the record: io_uring_enter 2 → 2',
      'missing                        7    18  raw 5 → 5 "hello"    not in the trace',
    ].join('\n'),
  );
});
