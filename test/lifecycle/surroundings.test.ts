// An incomplete installation, and a Node that is too old: one line says what is wrong, and what can work does.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { nodeProblem } from '../../src/syscalls/node-version.js';
import { MAIN, ROOT, startService, tempFolder } from '../support/service.js';

test('a Node before 20.19 is refused in one line that names both versions', () => {
  for (const old of ['18.20.8', '20.18.3', '0.10.48'])
    assert.match(nodeProblem(old) ?? '', new RegExp(`^syswire needs Node 20\\.19 or later, and this is ${old}: .+$`));
  for (const recent of ['20.19.0', '20.20.2', '21.0.0', '22.3.0', '26.1.0']) assert.equal(nodeProblem(recent), null);
});

test('the binaries of koffi have the version of its types', () => {
  const { devDependencies, optionalDependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  assert.match(devDependencies.koffi, /^\d+\.\d+\.\d+$/);
  assert.deepEqual(new Set(Object.values(optionalDependencies)), new Set([devDependencies.koffi]));
});

test('without the binary of koffi, level os is unavailable with its reason, and the others work', (t) => {
  const folder = tempFolder(t);
  mkdirSync(path.join(folder, 'node_modules'));
  for (const name of readdirSync(path.join(ROOT, 'node_modules')))
    if (name !== '@koromix')
      symlinkSync(path.join(ROOT, 'node_modules', name), path.join(folder, 'node_modules', name));
  for (const name of ['dist', 'prebuilds', 'package.json'])
    cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  const syswire = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli/main.js', ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };
  assert.equal(syswire('--help').status, 0);
  for (const level of ['raw', 'std'])
    assert.deepEqual(syswire('call', level, 'hello'), { status: 0, stdout: 'hello', stderr: '' }, level);
  const os = syswire('call', 'os', 'hello');
  assert.equal(os.status, 2);
  assert.match(
    os.stderr,
    /^syswire: level 'os' is not available here: koffi, which calls libc, cannot be loaded: install @koromix\/koffi-\w+-\w+\n$/,
  );
  // The error of a refused call has its name without libc, too.
  const refused = syswire('call', 'raw', 'hello', '--target', '/dev/full');
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /ENOSPC \(28\): no space left on device/i);
});

test('with 64 descriptors the service says how many it needs; with 128 it starts and answers', async (t) => {
  const limited = (files: number, command: string[]): string[] => ['prlimit', `--nofile=${files}:${files}`, ...command];
  const [command = '', ...args] = limited(64, [process.execPath, MAIN, '--port', '0']);
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  assert.equal(status, 2);
  assert.match(stderr, /^syswire: this process may open 64 files, and the service needs 128: raise it .*\n$/);
  const service = await startService(t, { wrap: (plain) => limited(128, plain) });
  assert.equal((await fetch(`${service.url}/health`)).status, 200);
});

test('--host takes an IPv6 address as a URL has it', async (t) => {
  const service = await startService(t, { args: ['--host', '[::1]'] });
  assert.match(service.url, /^http:\/\/\[::1\]:\d+$/);
  assert.equal((await fetch(`${service.url}/health`)).status, 200);
});

test("the image's health check asks the port that the service has, also where Kubernetes sets an address", (t) => {
  const file = path.join(ROOT, 'Dockerfile');
  if (!existsSync(file)) return t.skip('not all files of the project are here');
  const [, command = ''] = /^HEALTHCHECK .*\n +CMD (.+)$/m.exec(readFileSync(file, 'utf8')) ?? [];
  const [, , code] = JSON.parse(command) as string[];
  const show = 'globalThis.fetch = async (url) => { console.log(url); return { ok: true }; };';
  for (const [port, asked] of Object.entries({ '': 8080, 9999: 9999, 'tcp://10.0.0.7:80': 8080 })) {
    const env = { ...process.env, SYSWIRE_PORT: port };
    const { stdout, status } = spawnSync(process.execPath, ['-e', show + code], { encoding: 'utf8', env });
    assert.deepEqual({ stdout, status }, { stdout: `http://127.0.0.1:${asked}/health\n`, status: 0 });
  }
});
