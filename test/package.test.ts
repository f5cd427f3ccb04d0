// The files that `npm pack` packs: all that an installed README links to, and nothing of this machine.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { PAGES, readPage } from './support/docs/pages.js';
import { ROOT } from './support/service.js';
import { need } from './support/tools.js';

const NPM = { command: 'npm', package: 'npm' };

function packed(): string[] {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const [{ files }] = JSON.parse(
    execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  ) as [{ files: { path: string }[] }];
  return files.map(({ path }) => path);
}

test('the package has every file that its pages link to, but no pictures', (t) => {
  if (!need(t, NPM)) return;
  const files = packed();
  for (const name of ['LICENSE', 'README.md', 'dist/THIRD-PARTY-LICENSES', 'dist/cli/main.js'])
    assert.ok(files.includes(name), name);
  const missing = PAGES.filter((page) => files.includes(page)).flatMap((page) =>
    readPage(page).links.flatMap(({ to }) => {
      const [file = ''] = to.split('#', 1);
      if (file === '' || file.includes(':') || /\.(png|svg)$/.test(file)) return [];
      const target = path.join(path.dirname(page), file);
      return files.some((name) => name === target || name.startsWith(`${target}/`)) ? [] : `${page}: ${to}`;
    }),
  );
  assert.deepEqual(missing, []);
});

test('the package has nothing that only a clone needs, and names no folder of this machine', (t) => {
  if (!need(t, NPM)) return;
  const files = packed();
  const foreign = files.filter((name) =>
    /(^|\/)\.|^(src|test|bench|scripts|spikes)\/|^docs\/.*\.(png|svg)$|^docs\/bench\.json$|\.(mjs|map|tsx?)$(?<!\.d\.ts)/.test(
      name,
    ),
  );
  assert.deepEqual(foreign, []);
  const addons = files.filter((name) => name.startsWith('prebuilds/'));
  for (const name of addons) assert.match(name, /^prebuilds\/(linux|darwin)-\w+\/syswire\.node$/);
  for (const name of files) {
    const text = readFileSync(path.join(ROOT, name), 'latin1');
    // A home like / or /root is in many texts.
    for (const folder of [ROOT.replace(/\/$/, ''), homedir()].filter((each) => each.split('/').length > 2))
      assert.ok(!text.includes(folder), `${name} names ${folder}`);
  }
});
