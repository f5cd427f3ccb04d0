// Passes every kind of wrong or unusual value to the addon, at levels raw, int80 and uring. The result is a TypeError
// with a reason, or the right bytes in the right file; never a crash.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { WRITE_FROM } from '../../src/syscalls/hostile.js';
import { builtAddon } from '../support/native.js';
import { addon, callsOf, here, IDS, onAny, onLinux, output } from '../support/native-calls.js';
import { ROOT, tempFolder } from '../support/service.js';

const EBADF = -9;
const ENOMEM = -12;
const MAX_RW_COUNT = 0x7ffff000;

// The functions that the expressions below use. A child process evaluates both.
const PRELUDE = `
  const touched = [];
  const thrower = (what) => () => { touched.push(what); throw new Error(what); };
  const touchy = { valueOf: thrower('valueOf'), toString: thrower('toString'), [Symbol.toPrimitive]: thrower('toPrimitive'),
    get length() { return thrower('length')(); }, get buffer() { return thrower('buffer')(); } };
  const everyTrap = new Proxy({}, { get: (_, trap) => thrower(trap) });
  const bytes = Buffer.from('wrong');
  const detached = (offset) => {
    const buffer = new ArrayBuffer(16), view = new Uint8Array(buffer, offset);
    structuredClone(buffer, { transfer: [buffer] });
    return view;
  };
  const posted = () => {
    const buffer = new ArrayBuffer(16), view = new Uint8Array(buffer), { port1 } = new MessageChannel();
    port1.postMessage(view, [buffer]);
    port1.close();
    return view;
  };
  const grown = () => {
    const memory = new WebAssembly.Memory({ initial: 1 }), view = new Uint8Array(memory.buffer);
    memory.grow(1);
    return view;
  };
  const shrunk = (size, ...place) => {
    const buffer = new ArrayBuffer(16, { maxByteLength: 16 }), view = new Uint8Array(buffer, ...place);
    buffer.resize(size);
    return view;
  };
  const shared = (...place) => new Uint8Array(new SharedArrayBuffer(16), ...place);
  const growable = (...place) => new Uint8Array(new SharedArrayBuffer(16, { maxByteLength: 32 }), ...place);
  const wasm = () => new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true }).buffer);`;

const NO_DESCRIPTOR = [
  ...[
    'undefined',
    'null',
    'true',
    '1n',
    '2n ** 64n',
    '"1"',
    '""',
    '[]',
    '[1]',
    '{ valueOf: () => 1 }',
    'new Number(1)',
  ],
  ...['Symbol()', 'NaN', '0.5', '-0.5', '1.5', '5e-324', 'Infinity', '-Infinity', '2 ** 31', '-(2 ** 31) - 1'],
  ...[
    '2 ** 32',
    '2 ** 32 + 1',
    '2 ** 53',
    '2 ** 63',
    '2 ** 64 + 1',
    '1e308',
    'touchy',
    'everyTrap',
    'bytes',
    '() => 1',
  ],
];
const NO_BYTES = [
  ...['undefined', 'null', 'true', '65', '65n', '"text"', '[65]', '{ length: 1 }', '() => 65', 'Symbol()', 'touchy'],
  ...['everyTrap', 'new Proxy(new Uint8Array(4), {})', 'Object.create(bytes)', 'Object.create(Uint8Array.prototype)'],
  ...['new DataView(new ArrayBuffer(4))', 'new ArrayBuffer(4)', 'new SharedArrayBuffer(4)', 'new Blob(["text"])'],
  ...['Int8', 'Uint8Clamped', 'Uint16', 'Int16', 'Uint32', 'Int32', 'Float32', 'Float64', 'BigInt64', 'BigUint64'].map(
    (type) => `new ${type}Array(4)`,
  ),
];
const GONE = [
  ...['detached(0)', 'detached(4)', 'detached(16)', 'posted()', 'grown()'],
  ...['shrunk(4, 8, 8)', 'shrunk(4, 0, 8)', 'shrunk(0, 0, 1)', 'shrunk(4, 8)', 'shrunk(0, 16)', 'shrunk(0, 16, 0)'],
];
const SHARED = ['shared()', 'shared(4, 8)', 'shared(0, 0)', 'shared(16)', 'growable()', 'growable(0, 8)', 'wasm()'];
const NO_BIGINTS = [
  ...['', '0n', '0n, undefined', '0n, null', '0n, 1', '1, 1n', '"1", 1n', '0n, "1"', '0n, [1n]', '0n, Object(1n)'],
  ...['touchy, 1n', '0n, touchy', 'everyTrap, 1n', 'bytes', 'bytes, 1n', 'bytes.buffer, 1n', 'Object(1n), 1n'],
  ...['-1n', '-(2n ** 63n)', '2n ** 64n', '2n ** 64n + 1n', '-(2n ** 64n) + 1n', '2n ** 1000n'].flatMap((wide) => [
    `${wide}, 1n`,
    `0n, ${wide}`,
  ]),
];

const REFUSED: { message: string; calls: string[] }[] = [
  {
    message: 'fd must be a 32-bit integer',
    calls: [
      ...['write()', 'writeFrom()', 'write(bytes)', 'writeFrom(0n, 1n)'],
      ...NO_DESCRIPTOR.flatMap((fd) => [`write(${fd}, bytes)`, `writeFrom(${fd}, 0n, 1n)`]),
    ],
  },
  { message: 'bytes must be a Uint8Array', calls: ['write(1)', ...NO_BYTES.map((each) => `write(1, ${each})`)] },
  {
    // V8's words; newer ones say "detached or out-of-bounds".
    message: 'Cannot perform %TypedArray%.prototype.at on a detached ArrayBuffer',
    calls: GONE.map((each) => `write(1, ${each})`),
  },
  { message: 'bytes must not be of a SharedArrayBuffer', calls: SHARED.map((each) => `write(1, ${each})`) },
  {
    message: 'address and count must be bigints from 0 to 2**64 - 1',
    calls: NO_BIGINTS.map((each) => `writeFrom(1, ${each})`),
  },
  {
    message: 'not a constructor: call it without new',
    calls: [
      ...[
        'new write(1, bytes)',
        'new writeFrom(1, 0n, 1n)',
        'new write()',
        'Reflect.construct(write, [1, bytes], Object)',
      ],
      ...[
        'new (class extends write {})(1, bytes)',
        'new (write.bind(null, 1, bytes))()',
        'new (new Proxy(write, {}))(1, bytes)',
      ],
    ],
  },
];

test(
  'the addon refuses a wrong descriptor, wrong bytes or a wrong address with a TypeError and writes nothing',
  onAny,
  (t) => {
    const calls = REFUSED.flatMap((rows) => rows.calls);
    const script = `${PRELUDE}
    const addon = require(${JSON.stringify(builtAddon())});
    const outcome = (code, { write, writeFrom }) => {
      try { return String(eval(code)); } catch (error) { return error instanceof TypeError ? error.message.replace(' or out-of-bounds', '') : String(error); }
    };
    const all = (of) => ${JSON.stringify(calls)}.map((code) => [code, outcome(code, of)]);
    const ids = ${JSON.stringify(IDS)};
    const outcomes = Object.fromEntries(ids.map((id) => [id, all(id === 'raw' ? addon : addon[id])]));
    console.error(JSON.stringify({ outcomes, touched }));`;
    // A wrong value would most likely be taken for descriptor 0 or 1. Both are files here, so that such a write is
    // found.
    const files = ['0', '1'].map((name) => path.join(tempFolder(t), name));
    const fds = files.map((file) => openSync(file, 'w+'));
    const child = spawnSync(process.execPath, ['-e', script], { stdio: [...fds, 'pipe'], encoding: 'utf8' });
    fds.forEach(closeSync);
    assert.deepEqual([child.status, child.signal], [0, null], child.stderr);
    const expected = REFUSED.flatMap((rows) => rows.calls.map((code) => [code, rows.message]));
    assert.deepEqual(JSON.parse(child.stderr), {
      outcomes: Object.fromEntries(IDS.map((id) => [id, expected])),
      touched: [],
    });
    assert.deepEqual(
      files.map((file) => statSync(file).size),
      [0, 0],
    );
  },
);

/** Makes unusual views that the addon has to accept. */
function unusualViews(): Record<string, Uint8Array> {
  const letters = Buffer.from('abcdefghij');
  const resizable = (from: number, to: number, ...place: number[]): Uint8Array => {
    const buffer = new ArrayBuffer(from, { maxByteLength: 1 << 20 });
    const view = new Uint8Array(buffer, ...place);
    buffer.resize(to);
    return view.fill(0x7a);
  };
  class Liar extends Uint8Array {
    override get length(): number {
      return 1000;
    }
    override get buffer(): ArrayBuffer {
      throw new Error('asked for its buffer');
    }
  }
  const own = Object.defineProperties(new Uint8Array([1, 2]), { length: { value: 99 }, byteOffset: { value: 99 } });
  return {
    letters,
    subarray: letters.subarray(3, 7),
    'every byte': Uint8Array.from({ length: 256 }, (_, at) => at),
    large: new Uint8Array(1 << 20).fill(0x79),
    'large, from an odd address': new Uint8Array((1 << 20) + 3).fill(0x78).subarray(1),
    'as long as its buffer, which grew': resizable(2, 1 << 20),
    'as long as its buffer, which shrank': resizable(16, 4, 1),
    'as long as its buffer, which ends where it begins': resizable(16, 8, 8),
    'as long as its buffer, which shrank to nothing': resizable(16, 0),
    'a part of a buffer that grew': resizable(8, 100, 4, 4),
    'a part of a buffer that shrank, up to its new end': resizable(100, 8, 4, 4),
    'nothing of a buffer that shrank to nothing': resizable(16, 0, 0, 0),
    'memory of WebAssembly': runInNewContext(
      'new Uint8Array(new WebAssembly.Memory({ initial: 1 }).buffer, 1, 100)',
    ) as Uint8Array,
    'of another realm': runInNewContext('new Uint8Array([65, 66])') as Uint8Array,
    'without a prototype': Object.setPrototypeOf(new Uint8Array([67, 68]), null),
    'empty, and without a prototype': Object.setPrototypeOf(new Uint8Array(0), null),
    'with properties that lie': own,
    'of a class that lies': new Liar([69, 70]),
    empty: new Uint8Array(0),
    'empty, at the end': letters.subarray(10),
  };
}

/** Returns a view's bytes by the getters of %TypedArray%.prototype, which the view cannot override. */
const own = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(Uint8Array.prototype));
const bytesOf = (view: Uint8Array): Buffer =>
  Buffer.from(own.buffer?.get?.call(view), own.byteOffset?.get?.call(view), own.byteLength?.get?.call(view));

test('the addon writes the bytes of every kind of Uint8Array, even with properties that lie', onAny, (t) => {
  for (const id of here()) {
    const { write } = callsOf(addon(), id);
    for (const [name, view] of Object.entries(unusualViews())) {
      const { fd, text } = output(t);
      const bytes = bytesOf(view);
      assert.equal(write(fd, view), bytes.length, `${id}: ${name}`);
      assert.ok(text() === bytes.toString('latin1'), `${id}: ${name}`);
    }
  }
});

test('an empty view is passed to the kernel, and its result is the kernel’s', onAny, (t) => {
  const { fd, text } = output(t);
  const reading = openSync(ROOT, 'r');
  t.after(() => closeSync(reading));
  for (const id of here())
    for (const [name, view] of Object.entries(unusualViews()).filter(([, each]) => bytesOf(each).length === 0)) {
      const results = [fd, reading, -1, 2 ** 31 - 1, -(2 ** 31)].map((each) => callsOf(addon(), id).write(each, view));
      assert.deepEqual(results, [0, EBADF, EBADF, EBADF, EBADF], `${id}: ${name}`);
    }
  assert.equal(text(), '');
});

test('write accepts descriptor −0, and any value of `this`', onAny, (t) => {
  const { fd, text } = output(t);
  const script = `
    const addon = require(${JSON.stringify(builtAddon())});
    for (const { write } of ${JSON.stringify(here())}.map((id) => addon[id] ?? addon))
      for (const self of [undefined, null, 1n, write, new Proxy({}, {}), globalThis])
        write.call(self, -0, Buffer.from('x'));`;
  const child = spawnSync(process.execPath, ['-e', script], { stdio: [fd, 'pipe', 'pipe'], encoding: 'utf8' });
  assert.deepEqual([child.status, child.stdout, child.stderr], [0, '', '']);
  assert.equal(text(), 'x'.repeat(6 * here().length));
});

test('a write of 4 GiB is cut to the kernel’s maximum at every level', onLinux, () => {
  const fd = openSync('/dev/null', 'w');
  // int80 copies the bytes to the space from 2 to 4 GiB. A page of V8's may lie there, and then the copy has no room.
  const expected = { raw: [MAX_RW_COUNT], uring: [MAX_RW_COUNT], int80: [MAX_RW_COUNT, ENOMEM] };
  try {
    for (const size of [2 ** 32, 2 ** 32 - 1]) {
      const bytes = new Uint8Array(size);
      for (const id of here()) {
        const result = callsOf(addon(), id).write(fd, bytes);
        assert.ok(expected[id].includes(result), `${id}: ${size}: ${result}`);
      }
    }
  } finally {
    closeSync(fd);
  }
});

test('writeFrom passes on 64-bit addresses and counts, and returns what libc’s write returns', onLinux, (t) => {
  const { fd, text } = output(t);
  const calls: [address: bigint, count: bigint][] = [
    [0n, 0n],
    [0n, 1n],
    [0xffff_ffffn, 0n],
  ];
  // int80 would crash: before the call, it copies the bytes from addresses that a register of 32 bits cannot hold.
  const above4GiB: typeof calls = [
    [0n, 2n ** 64n - 1n],
    [1n << 47n, 1n],
    [1n << 63n, 0n],
    [2n ** 64n - 1n, 1n],
    [2n ** 64n - 1n, 0n],
  ];
  for (const id of here())
    for (const [address, count] of id === 'int80' ? calls : [...calls, ...above4GiB]) {
      const result = callsOf(addon(), id).writeFrom(fd, address, count);
      assert.equal(result, WRITE_FROM.os?.(fd, address, count), `${id}: ${address}, ${count}`);
    }
  assert.equal(text(), '');
});
