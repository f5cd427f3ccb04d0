// For any request the answer is one that openapi.yaml allows, the service survives, and the bytes at the targets are
// those of the answers and the records. fast-check makes the requests, and finds the smallest one that fails.
// PROPERTY_SEED=… makes the same requests again. https://fast-check.dev/
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Problem } from '../../src/protocol/problem.js';
import type { CallRecord } from '../../src/protocol/records.js';
import { type Piece, piecesOf } from '../support/property/account.js';
import { type Answered, checkAnswer, isAllowed } from '../support/property/contract.js';
import { BODY_LIMIT, type Request, requests } from '../support/property/requests.js';
import { startService, tempFolder } from '../support/service.js';
import { watch } from '../support/watcher.js';

const REQUEST_ID = /^[\w.-]{1,64}$/;
const CASES = 10_000;
/** A request that takes longer has failed. A burst may take 60 s, and a changed byte can ask for such a burst. */
const HANGS_MS = 70_000;
/** Less than the test runner's own limit, so that fast-check can still report the smallest request that failed. */
const MOST_MS = 250_000;
const SEED = Number(process.env.PROPERTY_SEED ?? Date.now() % 2 ** 31);

type Subject = {
  names: string[];
  /** Sends requests side by side, and compares their answers, records and bytes with each other. */
  check: (sent: Request[]) => Promise<void>;
  /** Status → number of answers. */
  statuses: Map<number, number>;
  /** All records so far, from GET /events. */
  records: CallRecord[];
  /** Waits for the same records on the stream, and returns them. */
  streamed: () => Promise<unknown[]>;
};

/** Reads all bytes that a descriptor has now. */
function readAll(fd: number): Buffer {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(1 << 16);
    try {
      const length = readSync(fd, chunk);
      if (length === 0) break;
      chunks.push(chunk.subarray(0, length));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
      break;
    }
  }
  return Buffer.concat(chunks);
}

const CALLS = new Set(['/write', '/writes', '/bursts']);

/**
 * Checks a refusal. A body that the document allows can only have faults that a schema cannot express: lone surrogates,
 * invalid base64, bursts that would take too long.
 */
function checkRefusal(route: string, body: Buffer | null, answer: Answered): void {
  if (!CALLS.has(route) || answer.status !== 400) return;
  const { errors } = JSON.parse(String(answer.body)) as Problem;
  // Fastify accepts a request without a body and without a type, so there may be no body to parse.
  if (errors && body?.length && isAllowed(route, JSON.parse(String(body))))
    for (const { pointer } of errors) assert.match(pointer, /\/(msg|ratePerSecond)$/, `${body}: ${answer.body}`);
}

async function startSubject(t: TestContext): Promise<Subject> {
  const folder = tempFolder(t);
  const [out, pipe, stdout] = ['out', 'pipe', 'stdout'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  execFileSync('mkfifo', [pipe]);
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const stdoutWriter = openSync(stdout, 'a');
  const service = await startService(t, {
    args: ['--target', `out=${out}`, '--target', `pipe=${pipe}`, '--body-limit', `${BODY_LIMIT}`],
    stdout: stdoutWriter,
  });
  const readers: Record<string, number> = { out: openSync(out, 'r'), stdout: openSync(stdout, 'r'), pipe: reader };
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  t.after(() => {
    agent.destroy();
    for (const fd of [...Object.values(readers), stdoutWriter]) closeSync(fd);
  });
  const watcher = watch(t, service.url);
  await once(watcher.socket, 'message');

  const { hostname, port, host } = new URL(service.url);
  async function send({ method, url, headers, body }: Request): Promise<Answered & { id: string }> {
    const asked = httpRequest({
      agent,
      hostname,
      port,
      method,
      path: url,
      setHost: false,
      headers: { host, ...headers, ...(body && { 'content-length': body.length }) },
    });
    asked.end(body);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = await response.toArray();
    const type = response.headers['content-type'] ?? '';
    const id = `${response.headers['x-request-id']}`;
    return { status: response.statusCode ?? 0, type, body: Buffer.concat(chunks), id };
  }

  const statuses = new Map<number, number>();
  const records: CallRecord[] = [];
  async function newRecords(): Promise<CallRecord[]> {
    const { body, status } = await send({
      method: 'GET',
      url: `/events?since=${records.length + 1}&limit=10000`,
      headers: {},
      body: null,
    });
    assert.equal(status, 200);
    const { events } = JSON.parse(String(body)) as { events: CallRecord[] };
    for (const record of events) assert.equal(records.push(record), record.seq, 'records are numbered without a hole');
    return events;
  }

  /** Checks an answer against the contract, and its calls against their records. @returns the bytes of each call */
  function checkCalls(request: Request, answer: Answered & { id: string }, fresh: CallRecord[]): Piece[] {
    const { method, url, headers, body } = request;
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    const asked = headers['x-request-id'];
    assert.match(answer.id, REQUEST_ID);
    if (asked !== undefined)
      assert.equal(answer.id === asked, REQUEST_ID.test(asked), 'the answer has the request id that was asked for');
    checkAnswer(method, url, answer);
    const route = url.split('?', 1)[0] as string;
    const mine = fresh.filter(({ requestId }) => requestId === answer.id);
    if (answer.status !== 200 || !CALLS.has(route)) {
      assert.deepEqual(mine, [], `${answer.status}: no call was made`);
      if (method === 'POST') checkRefusal(route, body, answer);
      return [];
    }
    const sent = JSON.parse(String(body));
    assert.ok(isAllowed(route, sent), `${route} accepted a body that the document does not allow: ${body}`);
    return piecesOf(route, sent, JSON.parse(String(answer.body)), mine);
  }

  return {
    names: ((await (await fetch(`${service.url}/targets`)).json()) as { targets: { name: string }[] }).targets
      .map(({ name }) => name)
      .filter((name) => name !== 'stderr'),
    statuses,
    records,
    async check(sent) {
      const answers = await Promise.all(sent.map(send));
      const fresh = await newRecords();
      // Read everything before the first assertion: bytes that stay behind would look like the next request's.
      const arrived = Object.entries(readers).map(([target, fd]) => ({ target, bytes: readAll(fd) }));
      const pieces = answers.flatMap((answer, index) => checkCalls(sent[index] as Request, answer, fresh));
      assert.equal(pieces.length, fresh.length, 'every record belongs to a request');
      pieces.sort((one, other) => one.seq - other.seq);
      for (const { target, bytes } of arrived) {
        const recorded = Buffer.concat(pieces.filter((piece) => piece.target === target).map((piece) => piece.bytes));
        assert.ok(bytes.equals(recorded), `the bytes that arrived at ${target} are those of its records`);
      }
    },
    async streamed() {
      const last = records.length;
      const lines = await watcher.until((all) => all.at(-1)?.seq === last);
      return lines.slice(1);
    },
  };
}

/** Compares record by record: deepEqual takes minutes to print the difference of two lists of a hundred thousand. */
async function checkStream(streamed: Subject['streamed'], records: CallRecord[]): Promise<void> {
  const lines = await streamed();
  for (const [index, record] of records.entries())
    assert.deepEqual(lines[index], record, 'the stream sent the same record');
  assert.equal(lines.length, records.length);
}

test(`each of ${CASES} requests, sent one after the other, gets an answer of the contract and the calls that it reports`, async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const { names, check, statuses, records, streamed } = await startSubject(t);
  await fc.assert(
    fc.asyncProperty(requests(names), (request) => check([request])),
    { numRuns: CASES, seed: SEED, timeout: HANGS_MS, interruptAfterTimeLimit: MOST_MS, markInterruptAsFailure: true },
  );
  for (const status of [200, 400, 403, 404, 405, 413, 415])
    assert.ok(
      (statuses.get(status) ?? 0) >= CASES / 1000,
      `many answers were ${status}: ${JSON.stringify([...statuses])}`,
    );
  assert.ok(records.length > CASES, 'many requests made calls');
  await checkStream(streamed, records);
});

test('requests that are sent side by side get answers of the contract and the calls that they report', async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const { names, check, records, streamed } = await startSubject(t);
  // Each request has its own id, so that each record can be assigned to its request.
  const many = fc
    .array(requests(names), { minLength: 2, maxLength: 16 })
    .map((all) =>
      all.map((request, index) => ({ ...request, headers: { ...request.headers, 'x-request-id': `${index}` } })),
    );
  await fc.assert(
    fc.asyncProperty(many, (all) => check(all)),
    {
      numRuns: CASES / 20,
      seed: SEED,
      timeout: HANGS_MS,
      interruptAfterTimeLimit: MOST_MS,
      markInterruptAsFailure: true,
    },
  );
  await checkStream(streamed, records);
});
