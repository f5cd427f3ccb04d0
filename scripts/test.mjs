// The tests of `npm test`, without a shell: Windows' has no globs, and Node's own begin with version 21. Arguments go to
// Node's test runner: npm test -- --test-name-pattern=burst
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const files = readdirSync(path.join(root, 'test'), { recursive: true })
  .filter((name) => name.endsWith('.test.ts'))
  .sort()
  .map((name) => path.join('test', name));
const flags = ['--import', 'tsx', '--test', '--test-concurrency=2', '--test-timeout=600000'];
const { status } = spawnSync(process.execPath, [...flags, ...process.argv.slice(2), ...files], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
