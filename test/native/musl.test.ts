// The addon for Linux on x86-64 under musl, whose loader refuses a library that musl does not have. Debian has no Node
// for musl, so a small program plays its part: programs/musl-host.c.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { BINUTILS, buildAddon, PROGRAMS, require, run } from '../support/native.js';
import { tempFolder } from '../support/service.js';
import { need, type Tool } from '../support/tools.js';

const LOADER = '/lib/ld-musl-x86_64.so.1';
const TOOLS: Tool[] = [{ command: 'g++', package: 'g++' }, { command: 'musl-gcc', package: 'musl-tools' }, ...BINUTILS];
const onX64 = { skip: process.platform === 'linux' && process.arch === 'x64' ? false : 'for linux-x64' };

/** Build the host of an addon. */
function buildHost(folder: string, addon: string): string {
  const names = run('nm', ['-D', '--undefined-only', addon]).match(/\bnapi_\w+/g) ?? [];
  const missing = path.join(folder, 'missing.c');
  const abort = (name: string): string => `__attribute__((weak)) void ${name}(void) { missing("${name}"); }\n`;
  writeFileSync(
    missing,
    `#include <stdio.h>\n#include <stdlib.h>
static void missing(const char* name) { fprintf(stderr, "musl-host.c has no %s\\n", name); abort(); }
${names.map(abort).join('')}`,
  );
  const host = path.join(folder, 'musl-host');
  const { include_dir: headers } = require('node-api-headers') as { include_dir: string };
  const source = path.join(PROGRAMS, 'musl-host.c');
  run('musl-gcc', ['-rdynamic', '-Wall', '-DNAPI_VERSION=8', '-I', headers, '-o', host, source, missing]);
  return host;
}

function play(host: string, addon: string, part: string) {
  const { status, stdout, stderr } = spawnSync(host, [addon, part], { encoding: 'utf8', timeout: 20_000 });
  return { status, stdout, stderr };
}

function build(t: TestContext): { folder: string; addon: string; host: string } {
  const folder = tempFolder(t);
  const addon = buildAddon(folder, 'linux-x64', { CXX: 'g++' });
  return { folder, addon, host: buildHost(folder, addon) };
}

test('musl: its loader resolves every symbol of the addon, and the levels write', onX64, (t) => {
  if (!need(t, ...TOOLS)) return;
  const { addon, host } = build(t);
  assert.match(run('readelf', ['-lW', host]), /interpreter: \/lib\/ld-musl-x86_64\.so\.1/);
  const { status, stdout, stderr } = play(host, addon, 'levels');
  assert.equal(status, 0, stderr);
  const results = Array.from(stderr.matchAll(/^(raw|int80|uring) (.*)$/gm), ([, id = '', result]) => [id, result]);
  assert.equal(results[0]?.[0], 'raw');
  const text = (id: string | undefined): string => `${id} under musl\n`;
  assert.equal(stdout, results.map(([id]) => text(id)).join(''));
  for (const [id, result] of results) assert.equal(result, `${text(id).length} -9`);
  const files = Array.from(stderr.matchAll(/^file (.*)$/gm), ([, file]) => file);
  assert.deepEqual(new Set(files), new Set([host, addon, realpathSync(LOADER)]), 'no other library is in the process');
});

test('musl: the watchdog ends a process that is stuck after SIGTERM', onX64, (t) => {
  if (!need(t, ...TOOLS)) return;
  const { addon, host } = build(t);
  assert.deepEqual(play(host, addon, 'watchdog'), { status: 128 + 15, stdout: '', stderr: '' });
});

test('musl: an addon that is linked with libstdc++ is refused', onX64, (t) => {
  if (!need(t, ...TOOLS)) return;
  const { folder, host } = build(t);
  const linked = buildAddon(path.join(folder, 'linked'), 'linux-x64', {
    CXX: 'g++',
    CXXFLAGS: '-Wl,--no-as-needed -lstdc++',
  });
  const { status, stderr } = play(host, linked, 'levels');
  assert.equal(status, 1);
  assert.match(stderr, /Error (loading shared library libstdc\+\+\.so\.6|relocating)/);
});
