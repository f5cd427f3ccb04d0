// Runs in a folder where the package is installed: starts the service as a user does, loads the page and /docs with every
// file that they name, writes at each level, stops it, and prints what it saw.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const service = spawn('npx', ['syswire', '--port', '0', '--target', 'null=/dev/null'], {
  stdio: ['ignore', 'ignore', 'pipe'],
});
const exit = once(service, 'exit');
let address;
for await (const line of createInterface(service.stderr)) {
  address = line.startsWith('{') && JSON.parse(line).address;
  if (address) break;
  console.log(line);
}

/** Gets a file. @returns its text */
async function get(url) {
  const answer = await fetch(new URL(url, address));
  const text = await answer.text();
  if (answer.status !== 200 || text.length === 0)
    throw new Error(`${url}: ${answer.status}, ${text.length} characters`);
  return text;
}

/** Gets a page, and what it names. @returns the number of files */
async function load(url) {
  const page = await get(url);
  const names = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => new URL(name, new URL(url, address)));
  for (const name of names) await get(name);
  return 1 + names.length;
}

const { pid } = JSON.parse(await get('/health'));
let isRunning = true;
process.on('exit', () => isRunning && process.kill(pid));
const files = (await load('/')) + (await load('/docs/'));
// The files that scripts load.
for (const url of ['/worker.js', '/docs/json', '/openapi.yaml', '/asyncapi.yaml']) await get(url);
const { levels } = JSON.parse(await get('/levels'));
const written = [];
for (const { id } of levels.filter(({ available }) => available)) {
  const answer = await fetch(new URL('/write', address), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ level: id, msg: 'hello', target: 'null' }),
  });
  const { written: bytes, error } = await answer.json();
  if (bytes !== 5 || error !== null) throw new Error(`${id}: ${bytes} bytes, ${JSON.stringify(error)}`);
  written.push(id);
}
// Not to npx, whose shell may not pass it on.
process.kill(pid, 'SIGTERM');
const [code] = await exit;
isRunning = false;
console.log(`${files} files, levels ${written.join(' ')}, exit ${code}`);
