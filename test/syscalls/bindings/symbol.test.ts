// The file that level os says its code is from.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { CC } from '../../support/outside.js';
import { ROOT, tempFolder } from '../../support/service.js';
import { need } from '../../support/tools.js';

const PRINT = `import { levels } from ${JSON.stringify(path.join(ROOT, 'dist/syscalls/index.js'))}; console.log(levels.os.via.file)`;

for (const given of ['./shim.so', 'absolute'])
  test(`level os names the LD_PRELOAD library that intercepts write: ${given}`, (t) => {
    if (process.platform !== 'linux') return t.skip('LD_PRELOAD is of Linux');
    if (!need(t, CC)) return;
    const folder = realpathSync(tempFolder(t));
    const shim = path.join(folder, 'shim.so');
    execFileSync('cc', ['-shared', '-fPIC', '-o', shim, path.join(ROOT, 'test/support/programs/shim.c')]);
    const fileOfOs = (env: NodeJS.ProcessEnv): string =>
      execFileSync(process.execPath, ['--input-type=module', '-e', PRINT], {
        cwd: folder,
        env,
        encoding: 'utf8',
      }).trim();
    // A Node that is linked to a fixed address gives every caller its own stub for write.
    if (fileOfOs(process.env) === process.execPath) return t.skip("write is a stub of this Node's");
    assert.equal(fileOfOs({ ...process.env, LD_PRELOAD: given === 'absolute' ? shim : given }), shim);
  });
