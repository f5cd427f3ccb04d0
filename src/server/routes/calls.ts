// The routes that make calls: POST /write, /writes and /bursts.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import {
  BurstRequest,
  BurstResult,
  WriteRequest,
  WriteResult,
  WritesRequest,
  WritesResult,
} from '../../protocol/calls.js';
import { sendList } from '../answers/send-json.js';
import { serializer } from '../answers/serialize.js';
import { problemOf, problems } from '../answers/statuses.js';
import type { Burst } from '../calls/burst.js';
import type { Writer } from '../calls/write.js';
import type { Budget } from '../door/budget.js';
import { clientGone } from '../door/connections.js';
import { isRefusal, type Refusal } from '../refusal.js';

/** The memory of one of many writes: request, job and result. */
const BYTES_PER_WRITE = 1 << 10;
/** The memory that a witness adds to it: mostly one system call, rarely ten. */
const BYTES_PER_REPORT = 4 << 10;
/**
 * The longest list in an answer of one write or burst: MAX_LISTED, half a KiB each. It is held before the first call,
 * because no answer may be refused after it.
 */
const BYTES_PER_LIST = 128 << 10;

const resultToJson = serializer(WriteResult);

function* toJson(results: readonly (WriteResult | Refusal)[]): Generator<string> {
  for (const result of results) yield isRefusal(result) ? JSON.stringify(problemOf(result)) : resultToJson(result);
}

/** For the descriptions of the routes. */
const RETRY =
  'Not idempotent: a request that is sent again makes its calls again. Send an `X-Request-Id` of your own. If the answer is lost, `GET /events?requestId=` returns the records of the calls that were made.';

export type CallRoutes = {
  writer: Writer;
  burst: Burst;
  budget: Budget;
  /** True if every call has a witness. */
  witnessAll: boolean;
};

export const callRoutes: FastifyPluginAsyncZod<CallRoutes> = async (app, deps) => {
  const { writer, burst, budget, witnessAll } = deps;

  app.post(
    '/write',
    {
      schema: {
        operationId: 'write',
        summary: 'Write a message',
        description: `Makes a real \`write\` call at the given level. 200 means that the operating system was asked. If it refused the call, \`error\` has its error. Every other status means that no call was made. ${RETRY}`,
        tags: ['calls'],
        body: WriteRequest,
        response: { 200: WriteResult, ...problems(401, 404, 413, 415, 501) },
      },
    },
    ({ body, id, raw }, reply) => {
      if (body.witness || witnessAll) budget.hold(reply.raw, BYTES_PER_LIST);
      if (body.timeoutMs > 0) return writer.writeAll(body, id, clientGone(raw.socket));
      reply.send(writer.writeOnce(body, id));
    },
  );

  app.post(
    '/writes',
    {
      schema: {
        operationId: 'writes',
        summary: 'Write several messages, one after the other',
        description: `Makes each write in the same way as \`POST /write\`, in order. If the operating system refuses one, the next one is still made. All writes are checked before the first call: if one is malformed, none is made. If the client closes the connection, the remaining writes are not made. ${RETRY}`,
        tags: ['calls'],
        body: WritesRequest,
        response: { 200: WritesResult, ...problems(401, 404, 413, 415, 501) },
      },
    },
    async ({ body, id, raw }, reply) => {
      const reports = body.writes.filter(({ witness }) => witness || witnessAll).length;
      budget.hold(reply.raw, body.writes.length * BYTES_PER_WRITE + reports * BYTES_PER_REPORT);
      const results = await writer.writeMany(body.writes, id, clientGone(raw.socket));
      return sendList<WritesResult>(reply, '{"results":[', toJson(results), () => ']}');
    },
  );

  app.post(
    '/bursts',
    {
      schema: {
        operationId: 'burst',
        summary: 'Make the same call many times',
        description: `Makes \`count\` calls, as fast as possible or at \`ratePerSecond\`, and answers when all of them are made. At a rate, the calls that are due are made once per millisecond. Only one burst may run at a time. Other requests are served about every 5 ms. If the client closes the connection, the burst ends. ${RETRY}`,
        tags: ['calls'],
        body: BurstRequest,
        response: { 200: BurstResult, ...problems(401, 404, 413, 415, 501) },
      },
    },
    ({ body, id, raw }, reply) => {
      if (body.witness || witnessAll) budget.hold(reply.raw, BYTES_PER_LIST);
      return burst(body, id, clientGone(raw.socket));
    },
  );
};
