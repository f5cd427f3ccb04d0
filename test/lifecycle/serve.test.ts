// Tests the service as a child process: each kind of stdout, a stop, and the errors of its command line.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { readConfig, VARIABLES } from '../../src/cli/config.js';
import { checkEnvironment } from '../../src/cli/environment.js';
import { LEVEL_IDS } from '../../src/protocol/names.js';
import type { Targets } from '../../src/protocol/service.js';
import { levels } from '../../src/syscalls/index.js';
import { isNonBlocking, socketPair } from '../support/descriptors.js';
import { MAIN, openFifo, post, ROOT, read, startService, tempFolder } from '../support/service.js';
import { need } from '../support/tools.js';

const LEVELS = LEVEL_IDS.filter((id) => levels[id].available);
const TEXT = 'Grüße, 世界 🌍: Hello world from interrupt!\n';
const BINARY = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

const stdoutOf = ({ targets }: Targets): object => {
  const { kind, shared } = targets.find(({ name }) => name === 'stdout') ?? assert.fail('no stdout');
  return { kind, shared };
};

test('stdout is a pipe: it has the messages byte for byte, and nothing else', async (t) => {
  const { reader, writer } = openFifo(t);
  const service = await startService(t, { stdout: writer });
  for (const level of LEVELS) {
    const { written, error } = await service.write({ level, msg: TEXT });
    assert.deepEqual({ level, written, error }, { level, written: Buffer.byteLength(TEXT), error: null });
    assert.equal(String(await read(reader, written)), TEXT);
    const binary = await service.write({ level, encoding: 'base64', msg: BINARY.toString('base64') });
    assert.equal(binary.written, 256);
    assert.deepEqual(await read(reader, 256), BINARY);
  }
  assert.equal(await service.stop(), 0);
  closeSync(writer);
  reader.resume();
  await once(reader, 'end');
  assert.equal(reader.bytesRead, LEVELS.length * (Buffer.byteLength(TEXT) + 256), 'nothing else was on stdout');
});

test('stdout is a pipe: it is non-blocking for the service only', async (t) => {
  const { writer } = openFifo(t);
  const service = await startService(t, { stdout: writer });
  assert.ok(isNonBlocking(1, service.child.pid), 'the service writes without blocking');
  assert.ok(!isNonBlocking(writer), 'the pipe still blocks for the test');
  closeSync(writer);
});

test('stdout is a socket: GET /targets lists it as shared, and it blocks again at the end', async (t) => {
  const [stdout, reader] = socketPair(t);
  const service = await startService(t, { stdout });
  const listed = (await (await fetch(`${service.url}/targets`)).json()) as Targets;
  assert.deepEqual(stdoutOf(listed), { kind: 'socket', shared: true });
  assert.ok(isNonBlocking(stdout));
  await service.write({ level: 'raw', msg: 'over a socket' });
  const taken = Buffer.alloc(20);
  assert.equal(taken.toString('latin1', 0, readSync(reader, taken)), 'over a socket');
  assert.equal(await service.stop(), 0);
  assert.ok(!isNonBlocking(stdout));
});

test('stdout is a file: it has the messages of each level', async (t) => {
  const file = path.join(tempFolder(t), 'out');
  const stdout = openSync(file, 'w');
  const service = await startService(t, { stdout });
  closeSync(stdout);
  for (const level of LEVELS) await service.write({ level, msg: `${level} ${TEXT}` });
  assert.equal(await service.stop(), 0);
  assert.equal(readFileSync(file, 'utf8'), LEVELS.map((level) => `${level} ${TEXT}`).join(''));
});

test('stdout is a terminal: it shows the messages of each level', async (t) => {
  if (!need(t, { command: 'script', package: 'bsdutils' })) return;
  // script(1) makes the terminal, and copies its output to its own stdout.
  const service = await startService(t, {
    stdout: 'pipe',
    wrap: (command) => ['script', '-qfec', `${command.map((word) => `'${word}'`).join(' ')} 2>&3`, '/dev/null'],
  });
  const listed = (await (await fetch(`${service.url}/targets`)).json()) as Targets;
  assert.deepEqual(stdoutOf(listed), { kind: 'tty', shared: false });
  const screen = createInterface(service.child.stdout as Socket)[Symbol.asyncIterator]();
  for (const level of LEVELS) {
    await service.write({ level, msg: `${level} ${TEXT}` });
    assert.equal(`${(await screen.next()).value}\n`, `${level} ${TEXT}`);
  }
  assert.equal(await service.stop(), 0);
});

test('stdout is a pipe without a reader: a write returns EPIPE, and the service goes on', async (t) => {
  const { reader, writer } = openFifo(t);
  const service = await startService(t, { stdout: writer });
  closeSync(writer);
  reader.destroy();
  await once(reader, 'close');
  for (const level of LEVELS) {
    const { written, error } = await service.write({ level, msg: TEXT });
    assert.deepEqual({ written, error }, { written: 0, error: { code: 'EPIPE', errno: 32, message: 'Broken pipe' } });
  }
  assert.equal((await fetch(`${service.url}/health`)).status, 200);
  assert.equal(await service.stop(), 0);
});

test('stdout is a full pipe: a write returns EAGAIN at once, and waiting writes do not block the event loop', async (t) => {
  const { reader, writer } = openFifo(t);
  const service = await startService(t, { stdout: writer });
  closeSync(writer);
  const full = await service.write({ level: 'raw', msg: 'x'.repeat(1 << 20) });
  assert.deepEqual({ written: full.written, error: full.error }, { written: 65_536, error: null });
  for (const level of LEVELS) {
    const { written, error } = await service.write({ level, msg: TEXT });
    assert.deepEqual({ written, code: error?.code }, { written: 0, code: 'EAGAIN' });
  }
  const waiting = LEVELS.map((level) => service.write({ level, msg: level, timeoutMs: 20_000 }));
  assert.equal((await fetch(`${service.url}/health`)).status, 200, 'answered while the writes wait');
  await read(reader, 65_536);
  const results = await Promise.all(waiting);
  assert.deepEqual(
    results.map(({ written, error }) => ({ written, error })),
    LEVELS.map((level) => ({ written: level.length, error: null })),
  );
  const length = LEVELS.join('').length;
  assert.equal((await read(reader, length)).length, length);
});

test('SIGTERM: a waiting write returns EAGAIN, a subscriber gets a 1001, exit 0', async (t) => {
  const { writer, path: fifo } = openFifo(t);
  const service = await startService(t, { args: ['--target', `pipe=${fifo}`] });
  closeSync(writer);
  await service.write({ level: 'raw', target: 'pipe', msg: 'x'.repeat(1 << 20) });
  const watcher = new WebSocket(`${service.url.replace('http', 'ws')}/events`);
  await once(watcher, 'message');
  const waiting = service.write({ level: 'raw', target: 'pipe', msg: 'never', timeoutMs: 60_000 });
  // When the subscriber has the record of the first call, an EAGAIN, the write waits.
  await once(watcher, 'message');
  const before = performance.now();
  const [[code], result, exit] = await Promise.all([once(watcher, 'close'), waiting, service.stop()]);
  assert.equal(code, 1001);
  assert.deepEqual({ written: result.written, code: result.error?.code }, { written: 0, code: 'EAGAIN' });
  assert.equal(exit, 0);
  assert.ok(performance.now() - before < 8000, 'within 5 s, and some more on a busy machine');
});

test('SIGTERM: an idle connection and a stalled subscriber do not delay the stop', async (t) => {
  const service = await startService(t);
  const watcher = new WebSocket(`${service.url.replace('http', 'ws')}/events`);
  await once(watcher, 'message');
  watcher.pause();
  const before = performance.now();
  assert.equal(await service.stop(), 0);
  assert.ok(performance.now() - before < 8000, 'a second, and some more on a busy machine');
  watcher.terminate();
});

test('SIGTERM to npm start stops the service', async (t) => {
  const service = await startService(t, {
    stdout: 'pipe',
    wrap: (command) => ['npm', 'start', '--silent', '--', ...command.slice(2)],
  });
  await service.write({ level: 'raw', msg: 'only this' });
  const exited = once(service.child, 'exit');
  service.child.kill('SIGTERM');
  assert.equal(String(await read(service.child.stdout as Socket, 9)), 'only this');
  const [code] = await exited;
  assert.equal(code, 0);
});

type Refused = { args?: string[]; env?: NodeJS.ProcessEnv; code: number; says: RegExp };

const REFUSED: Record<string, (folder: string) => Refused> = {
  'an unknown flag': () => ({ args: ['--prot', '1'], code: 2, says: /unknown flag --prot: did you mean --port\?/ }),
  'an extra argument': () => ({ args: ['serve', 'here'], code: 2, says: /argument 'here' is one too many/ }),
  'an unknown command': () => ({
    args: ['sevre'],
    code: 2,
    says: /command 'sevre' is unknown: use serve, write, burst, .*; did you mean serve\?/,
  }),
  'a port above 65535': () => ({
    args: ['--port', '70000'],
    code: 2,
    says: /--port 70000: must be a whole number from 0 to 65,535$/m,
  }),
  'a bad port from the environment': () => ({ env: { SYSWIRE_PORT: 'x' }, code: 2, says: /SYSWIRE_PORT x: / }),
  'an unknown log level': () => ({
    args: ['--log-level', 'loud'],
    code: 2,
    says: /--log-level loud: must be fatal, error/,
  }),
  'a history of 0': () => ({ args: ['--history', '0'], code: 2, says: /--history 0: .*from 1/ }),
  'a target without a path': () => ({
    args: ['--target', 'a=/dev/null', '--target', 'log'],
    code: 2,
    says: /--target log: must be name=path/,
  }),
  'a slash in a target name': () => ({
    args: ['--target', 'a/b=/dev/null'],
    code: 2,
    says: /--target a\/b=\/dev\/null: the name must be 1 to 64 letters/,
  }),
  'a target called stdout': () => ({
    args: ['--target', 'stdout=/dev/null'],
    code: 2,
    says: /the service has a target 'stdout' already: choose another name/,
  }),
  'a target called like a fault target': () => ({
    args: ['--target', 'sealed=/dev/null', '--no-faults'],
    code: 2,
    says: /has a target 'sealed' already/,
  }),
  'faults that are neither true nor false': () => ({
    env: { SYSWIRE_FAULTS: 'maybe' },
    code: 2,
    says: /SYSWIRE_FAULTS maybe: must be true or false/,
  }),
  'a target name given twice': () => ({
    args: ['--target', 'a=/dev/null', '--target', 'a=/dev/full'],
    code: 2,
    says: /--target: the name 'a' is given twice/,
  }),
  'a target name twice in the environment': () => ({
    env: { SYSWIRE_TARGET: 'a=/dev/null\na=/dev/full' },
    code: 2,
    says: /SYSWIRE_TARGET: the name 'a' is given twice/,
  }),
  'a target in a folder that does not exist': () => ({
    args: ['--target', 'a=/nowhere/a'],
    code: 1,
    says: /: --target a=\/nowhere\/a: ENOENT: no such file or directory: make the folder \/nowhere, or choose another path$/m,
  }),
  'a target that is a folder': (folder) => ({
    args: ['--target', `a=${folder}`],
    code: 1,
    says: /: --target a=.*: EISDIR: .*: give a file in it$/m,
  }),
  'a FIFO without a reader': (folder) => {
    execFileSync('mkfifo', [path.join(folder, 'fifo')]);
    return {
      args: ['--target', `a=${folder}/fifo`],
      code: 1,
      says: /: --target a=.*\/fifo: ENXIO.*needs a reader first/,
    };
  },
  'a record file in a folder that does not exist': () => ({
    args: ['--record', '/nowhere/a'],
    code: 1,
    says: /: --record \/nowhere\/a: ENOENT: no such file or directory: make the folder \/nowhere, or choose another path$/m,
  }),
  'a public address and no token': () => ({
    args: ['--host', '0.0.0.0'],
    code: 2,
    says: /0\.0\.0\.0 is open to .* needs a token/,
  }),
  'a host that may be a name, and no token': () => ({
    args: ['--host', 'nonsense'],
    code: 2,
    says: /--host nonsense is no IP address: if it is the name of one, it is open to other machines, so it needs a token/,
  }),
  'an address of another machine': () => ({
    args: ['--host', '192.0.2.1', '--token', 'x'.repeat(16)],
    code: 1,
    says: /address 192\.0\.2\.1 does not belong to this machine: choose another with --host/,
  }),
  'a host without an address': () => ({
    args: ['--host', 'x'.repeat(64), '--token', 'x'.repeat(16)],
    code: 1,
    says: /host x+ has no known address \(\w+\): choose another with --host/,
  }),
  'a short token': () => ({
    args: ['--token', 'short'],
    code: 2,
    says: /^syswire: --token: must have 16 characters or more, not 5/,
  }),
  'a token file that does not exist': () => ({
    args: ['--token-file', '/nowhere/token'],
    code: 2,
    says: /--token-file \/nowhere\/token: cannot be read: there is no such file: openssl rand -hex 16 > FILE makes one$/m,
  }),
  'a short token in a file': (folder) => {
    writeFileSync(path.join(folder, 'token'), 'short');
    return {
      args: ['--token-file', path.join(folder, 'token')],
      code: 2,
      says: /token: the token in it must have 16 characters or more, not 5/,
    };
  },
  'a token and a token file': (folder) => {
    writeFileSync(path.join(folder, 'token'), 'x'.repeat(16));
    return {
      args: ['--token', 'x'.repeat(16), '--token-file', path.join(folder, 'token')],
      code: 2,
      says: /both given/,
    };
  },
};

for (const [name, refused] of Object.entries(REFUSED)) {
  test(`the service does not start with ${name}: one line, its exit code`, (t) => {
    const folder = tempFolder(t);
    mkdirSync(path.join(folder, 'd'));
    const { args = [], env = {}, code, says } = refused(folder);
    const { status, stderr, stdout } = spawnSync(process.execPath, [MAIN, ...args], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.match(stderr, says);
    assert.match(stderr, /^syswire: .*\n$/, 'one line');
    assert.deepEqual({ status, stdout }, { status: code, stdout: '' });
  });
}

test('the service does not start at a port in use: exit 1, one line', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { status, stderr } = spawnSync(process.execPath, [MAIN, '--port', `${port}`], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(
    stderr,
    `syswire: port ${port} on 127.0.0.1 is in use: choose another with --port (0 picks a free one)\n`,
  );
  assert.equal(status, 1);
});

test('--help lists the flags, call --help explains call, --version prints the version', () => {
  const ask = (...args: string[]) => execFileSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
  assert.match(ask('serve', '--help'), /--target NAME=PATH.*\n.*--\[no-\]faults/);
  assert.match(ask('call', '--help'), /syswire call LEVEL MSG/);
  assert.equal(ask('--version').trim(), JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).version);
});

test('the address that Kubernetes puts into SYSWIRE_PORT is no setting: a warning, and the own port', async (t) => {
  const links = {
    SYSWIRE_PORT: 'tcp://10.0.0.5:8080',
    SYSWIRE_SERVICE_HOST: '10.0.0.5',
    SYSWIRE_SERVICE_PORT: '8080',
    SYSWIRE_SERVICE_PORT_HTTP: '8080',
    SYSWIRE_PORT_8080_TCP: 'tcp://10.0.0.5:8080',
    SYSWIRE_PORT_8080_TCP_PROTO: 'tcp',
    SYSWIRE_PORT_8080_TCP_PORT: '8080',
    SYSWIRE_PORT_8080_TCP_ADDR: '10.0.0.5',
    // Of a Service named syswire-page.
    SYSWIRE_PAGE_PORT: 'tcp://10.0.0.6:80',
    SYSWIRE_PAGE_SERVICE_HOST: '10.0.0.6',
  };
  const { warnings, env } = checkEnvironment(links, VARIABLES);
  assert.deepEqual(
    warnings.map((line) => line.slice(0, 44)),
    ['SYSWIRE_PORT tcp://10.0.0.5:8080 is ignored:'],
  );
  assert.equal(readConfig({}, env).port, 8080);
  const { log } = await startService(t, { env: links });
  assert.equal(log.filter((line) => line.includes('SYSWIRE_')).length, 1);
  assert.match(log[0] ?? '', /"level":40,.*SYSWIRE_PORT tcp:\/\/10\.0\.0\.5:8080 is ignored/);
});

test('an unknown SYSWIRE_ variable is warned about, with the nearest name', () => {
  for (const [name, says] of [
    ['SYSWIRE_TOKN', 'did you mean SYSWIRE_TOKEN?'],
    ['SYSWIRE_TARGETS', 'did you mean SYSWIRE_TARGET?'],
    ['SYSWIRE_NO_FAULTS', 'did you mean SYSWIRE_FAULTS?'],
    ['SYSWIRE_ENTIRELY_OTHER', 'syswire help serve lists them'],
  ] as const)
    assert.deepEqual(checkEnvironment({ [name]: '1' }, VARIABLES).warnings, [
      `${name} is unknown and ignored: ${says}`,
    ]);
  for (const name of [...VARIABLES, 'SYSWIRE_URL', 'SYSWIRE_PUBLISH', 'PATH'])
    assert.deepEqual(checkEnvironment({ [name]: '1' }, VARIABLES).warnings, [], name);
  const { stderr, status } = spawnSync(process.execPath, [MAIN, '--port', 'x'], {
    env: { ...process.env, SYSWIRE_PROT: '1' },
    encoding: 'utf8',
  });
  assert.match(
    stderr,
    /^syswire: SYSWIRE_PROT is unknown and ignored: did you mean SYSWIRE_PORT\?\nsyswire: --port x: .*\n$/,
  );
  assert.equal(status, 2);
});

test('the service reads settings from the environment, and a flag wins', async (t) => {
  const file = path.join(tempFolder(t), 'out');
  const service = await startService(t, {
    args: ['--token', 'the-flag-is-stronger'],
    env: {
      SYSWIRE_TARGET: `out=${file}\ntwo=${file}`,
      SYSWIRE_TOKEN: 'the-variable-is-weaker',
    },
  });
  const send = (token: string) =>
    post(`${service.url}/write`, { level: 'std', target: 'two', msg: 'x' }, { authorization: `Bearer ${token}` });
  assert.equal((await send('the-variable-is-weaker')).status, 401);
  assert.equal((await send('the-flag-is-stronger')).status, 200);
  assert.equal(readFileSync(file, 'utf8'), 'x');
});
