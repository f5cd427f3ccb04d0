// Runs inside the container, in its Node: makes calls at every level to every target, also in bursts, and checks the
// records. Ends with status 1 and an error at the first mistake.
import assert from 'node:assert/strict';

const url = `http://127.0.0.1:${process.env.SYSWIRE_PORT || 8080}`;
const headers = { authorization: `Bearer ${process.env.SYSWIRE_TOKEN}` };

async function get(path) {
  return (await fetch(url + path, { headers })).json();
}

async function post(path, body) {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, ...(await answer.json()) };
}

const { levels, witness } = await get('/levels');
const { targets } = await get('/targets');
const { next } = await get('/health');
let made = 0;

for (const { id: level, available } of levels) {
  for (const { name: target, available: isThere, expects } of targets) {
    if (expects === null) continue;
    const { status, error, calls } = await post('/write', { level, target, msg: 'x' });
    if (!available || !isThere) assert.equal(status, 501, `${level} to ${target}`);
    else {
      assert.deepEqual([status, error?.code, calls], [200, expects, 1], `${level} to ${target}`);
      made += 1;
    }
  }
  if (!available) continue;
  const burst = await post('/bursts', { level, target: 'full', msg: 'x', count: 1000 });
  assert.deepEqual([burst.count, burst.errors], [1000, { ENOSPC: 1000 }], `a burst of ${level}`);
  const { results } = await post('/writes', { writes: Array(100).fill({ level, target: 'full', msg: 'x' }) });
  assert.equal(results.length, 100);
  const { error } = await post('/write', { level, target: 'stuck-pipe', msg: 'x', timeoutMs: 50 });
  assert.equal(error.code, 'EAGAIN');
  made += 1101;
  if (!witness.available) continue;
  const { verdict } = await post('/write', { level, target: 'null', msg: 'x', witness: true });
  assert.equal(verdict, 'agrees', `a witness of ${level}`);
  made += 1;
}

const { events } = await get(`/events?since=${next}&limit=10000`);
assert.equal(events.length, made);
assert.equal((await fetch(`${url}/`)).status, 200);
const known = targets.filter(({ expects }) => expects !== null);
console.log(
  `${levels.filter(({ available }) => available).length} levels, ${known.filter(({ available }) => available).length} of ${known.length} fault targets, ${made} calls, ${witness.reason ?? 'with a witness'}`,
);
