// HTTP requests as text, and tables of them with the answers that the service must give.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { listen, type TestApp, testApp } from './app.js';
import { assertProblem, dial, parseAnswers, type Step, waitForNoConnections } from './connection.js';

export const BODY_LIMIT = 4096;
/** Rows up to this size are sent a second time, one byte a write. */
const BYTEWISE_BYTES = 600;

export const HOST = 'Host: localhost\r\n';
export const JSON_TYPE = 'Content-Type: application/json\r\n';
export const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const bodyOf = (msg: string, more = {}): string => JSON.stringify({ level: 'raw', target: 'out', msg, ...more });
export const BODY = bodyOf('x');
export const LENGTH = `Content-Length: ${BODY.length}\r\n`;

export const ask = (target: string, fields = HOST, { method = 'GET', version = 'HTTP/1.1' } = {}): string =>
  `${method} ${target} ${version}\r\n${fields}\r\n`;
/** Returns a POST /write with these fields besides Host and Content-Type. */
export const post = (fields = LENGTH, body = BODY): string =>
  `${ask('/write', HOST + JSON_TYPE + fields, { method: 'POST' })}${body}`;
export const write = (msg: string, more = {}): string =>
  post(`Content-Length: ${bodyOf(msg, more).length}\r\n`, bodyOf(msg, more));
export const chunk = (text: string, extension = ''): string => `${text.length.toString(16)}${extension}\r\n${text}\r\n`;
export const LAST = '0\r\n\r\n';

export type Row = {
  send: string | Buffer | Step[];
  /** The statuses of all answers, in order. */
  answers: number[];
  /** The service then closes. Without this the connection must serve another request. */
  closed?: true;
  /** The text that arrives at the target. */
  arrives?: string;
  /** The number of new records. Default: one for each byte that arrives. */
  records?: number;
  /** The request is a HEAD, so its answer has no body. */
  toHead?: true;
  /** The row must be sent in one write, because it means something else in several. */
  atOnce?: true;
};

/** Returns rows that all have the same outcome. */
export const expectAll = (outcome: Omit<Row, 'send'>, sends: Record<string, Row['send']>): Record<string, Row> =>
  Object.fromEntries(Object.entries(sends).map(([name, send]) => [name, { ...outcome, send }]));

type Service = TestApp & { url: string; records: () => Promise<number> };

export async function start(t: TestContext): Promise<Service> {
  const service = testApp(t, { bodyLimit: BODY_LIMIT });
  const records = async (): Promise<number> => (await service.app.inject('/health')).json().next - 1;
  return { ...service, url: await listen(service.app), records };
}

/** Sends a row, `size` bytes a write. Checks the answers, the bytes at the target and the number of records. */
export async function check(
  t: TestContext,
  { url, written, records }: Service,
  row: Row,
  size?: number,
): Promise<void> {
  const { answers: statuses, closed, arrives = '', toHead } = row;
  const before = { records: await records(), length: written().length };
  const wire = await dial(t, url);
  await wire.take(Array.isArray(row.send) ? row.send : [row.send], size);
  const received = closed
    ? await wire.untilClosed()
    : await wire.until((bytes) => parseAnswers(bytes, toHead).answers.length >= statuses.length);
  const { answers, rest } = parseAnswers(received, toHead);
  assert.deepEqual(
    answers.map(({ status }) => status),
    statuses,
  );
  assert.equal(String(rest), '');
  for (const answer of answers) if (answer.status >= 400 && !toHead) assertProblem(answer);
  const [last] = answers.slice(-1);
  if (closed && last && last.status >= 400) assert.equal(last.headers.get('connection'), 'close');
  if (!closed) {
    // The answer that comes next must belong to the next request.
    await wire.take([ask('/health')]);
    const next = (bytes: Buffer) => parseAnswers(bytes.subarray(received.length)).answers;
    const [healthy] = next(await wire.until((bytes) => next(bytes).length === 1));
    assert.equal(healthy?.status, 200);
  }
  wire.end();
  assert.equal(String(written().subarray(before.length)), arrives);
  assert.equal((await records()) - before.records, row.records ?? arrives.length);
}

/** Checks that the service still serves an ordinary client. */
export async function checkAlive(t: TestContext, service: Service): Promise<void> {
  await check(t, service, { send: post(), answers: [200], arrives: 'x' });
}

const sizeOf = (send: Row['send']): number =>
  [send]
    .flat()
    .reduce((sum: number, step) => sum + (typeof step === 'string' || step instanceof Buffer ? step.length : 0), 0);

/** Says what the service does with a row. */
function describeOutcome({ answers, closed }: Row): string {
  const does = [...(answers.length > 0 ? [`answers ${answers.join(', ')}`] : []), ...(closed ? ['closes'] : [])];
  return `the service ${does.join(' and ')}`;
}

/** Runs a table as one test. All rows meet the same service, which must survive each of them. */
export function testTable(name: string, rows: Record<string, Row>): void {
  test(name, async (t) => {
    const service = await start(t);
    const warnings: Error[] = [];
    const warn = (warning: Error): number => warnings.push(warning);
    process.on('warning', warn);
    t.after(() => process.off('warning', warn));
    for (const [name, row] of Object.entries(rows)) {
      await t.test(`${name}: ${describeOutcome(row)}`, async (t) => {
        await check(t, service, row);
        await checkAlive(t, service);
      });
      if (!row.atOnce && sizeOf(row.send) <= BYTEWISE_BYTES)
        await t.test(`${name}, one byte a write: ${describeOutcome(row)}`, (t) => check(t, service, row, 1));
    }
    await waitForNoConnections(service.app);
    assert.deepEqual(warnings, [], 'Node warns of nothing, such as too many listeners');
  });
}
