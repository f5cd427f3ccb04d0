// Tests the published entry points, 'syswire/syscalls' and 'syswire', from the code of another project.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { LEVEL_IDS } from '../../src/protocol/names.js';
import { levels } from '../../src/syscalls/index.js';
import { ROOT } from '../support/service.js';

const USE = `
  for (const level of Object.values(levels)) if (level.available) level.write(1, Buffer.from(level.id + ' '));
  console.log(JSON.stringify([levels.os.write(2147483646, Buffer.from('x')), osError(-28)]));`;

const FORMS: [name: string, args: string[]][] = [
  ['import', ['--input-type=module', '-e', `import { levels, osError } from 'syswire/syscalls'; ${USE}`]],
  ['require', ['--input-type=commonjs', '-e', `const { levels, osError } = require('syswire/syscalls'); ${USE}`]],
];

for (const [name, args] of FORMS) {
  test(`${name} of syswire/syscalls: every available level writes, and osError translates`, () => {
    const out = execFileSync(process.execPath, ['--no-warnings', ...args], { cwd: ROOT, encoding: 'utf8' });
    const here = LEVEL_IDS.filter((id) => levels[id].available).join(' ');
    assert.equal(out, `${here} [-9,{"code":"ENOSPC","errno":28,"message":"No space left on device"}]\n`);
  });
}

test('import { buildApp } from "syswire" builds the service in another program', () => {
  const script = `import { buildApp } from 'syswire';
    const app = buildApp({ targets: { nowhere: '/dev/null' } });
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/write', payload: { level: 'os', msg: 'hi', target: 'nowhere' } });
    console.error(statusCode, JSON.parse(body).written);
    await app.close();`;
  const out = execFileSync(
    process.execPath,
    ['--input-type=module', '-e', `${script.replace('console.error', 'console.log')}`],
    { cwd: ROOT, encoding: 'utf8' },
  );
  assert.equal(out, '200 2\n');
});
