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
import { problemOf, problems } from '../answers/problem.js';
import { sendList } from '../answers/send-json.js';
import { serializer } from '../answers/serialize.js';
import type { Burst } from '../calls/burst.js';
import type { Writer } from '../calls/write.js';
import type { Budget } from '../door/budget.js';
import { clientGone } from '../door/connections.js';
import { isRefusal, type Refusal } from '../refusal.js';

/** The memory of one of many writes: request, job and result. */
const BYTES_PER_WRITE = 1 << 10;

const resultToJson = serializer(WriteResult);

function* toJson(results: readonly (WriteResult | Refusal)[]): Generator<string> {
  for (const result of results) yield isRefusal(result) ? JSON.stringify(problemOf(result)) : resultToJson(result);
}

export type CallRoutes = { writer: Writer; burst: Burst; budget: Budget };

export const callRoutes: FastifyPluginAsyncZod<CallRoutes> = async (app, { writer, burst, budget }) => {
  app.post(
    '/write',
    {
      schema: {
        operationId: 'write',
        summary: 'Write a message, for real',
        description:
          'Makes the call at the level asked for. 200 means that the operating system was asked: its refusal is a result too, in `error`. Every other status means that no call was made.',
        tags: ['calls'],
        body: WriteRequest,
        response: { 200: WriteResult, ...problems(401, 404, 413, 415, 501) },
      },
    },
    ({ body, id, raw }, reply) => {
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
        description:
          'Each as by `POST /write`, in order; one that the operating system refuses does not keep the next from being made. All are checked before the first call: if one is wrong, none is made. If the client goes away, the rest is not made.',
        tags: ['calls'],
        body: WritesRequest,
        response: { 200: WritesResult, ...problems(401, 404, 413, 415, 501) },
      },
    },
    async ({ body, id, raw }, reply) => {
      budget.hold(reply.raw, body.writes.length * BYTES_PER_WRITE);
      const results = await writer.writeMany(body.writes, id, clientGone(raw.socket));
      return sendList<WritesResult>(reply, '{"results":[', toJson(results), () => ']}');
    },
  );

  app.post(
    '/bursts',
    {
      schema: {
        operationId: 'burst',
        summary: 'Make one call many times, and count',
        description:
          'Makes `count` calls, as fast as they go or `ratePerSecond` (by the millisecond: so many as are due, at once), and answers when they are made. One burst at a time. Other requests have their turn every 5 ms or so. Each call is a record with this request’s id, so that `GET /events?requestId=` follows it. If the client goes away, the burst ends.',
        tags: ['calls'],
        body: BurstRequest,
        response: { 200: BurstResult, ...problems(401, 404, 413, 415, 501) },
      },
    },
    ({ body, id, raw }) => burst(body, id, clientGone(raw.socket)),
  );
};
