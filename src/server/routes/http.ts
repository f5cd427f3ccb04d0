// The routes: what each takes and answers. What they do stands in write.ts, journal.ts and events.ts.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import {
  BurstRequest,
  BurstResult,
  WriteRequest,
  WriteResult,
  WritesRequest,
  WritesResult,
} from '../../protocol/calls.js';
import { LEVEL_IDS, type LevelId } from '../../protocol/names.js';
import { Events, EventsQuery } from '../../protocol/records.js';
import { Health, Levels, METRICS_TYPE, Metrics, Targets } from '../../protocol/service.js';
import type { Level } from '../../syscalls/contract.js';
import { elsewhere } from '../../syscalls/index.js';
import type { Target } from '../../syscalls/targets/target.js';
import { busy, problems, refusal } from '../answers/problem.js';
import { serializer } from '../answers/serialize.js';
import type { Burst } from '../calls/burst.js';
import type { Writer } from '../calls/write.js';
import type { WhenGone } from '../lifecycle/tasks.js';
import type { Counts } from '../metrics/counters.js';
import type { Filter, Journal } from '../records/journal.js';
import { type Run, type Stream, type Subscription, sinceProblem } from '../records/stream.js';
import { VERSION } from '../version.js';

const DEFAULT_EVENTS = 1000;

export type Routes = {
  levels: Record<LevelId, Level>;
  targets: readonly Target[];
  journal: Journal;
  writer: Writer;
  burst: Burst;
  stream: Stream;
  service: Run;
  needsToken: boolean;
  counts: Counts;
  /** The text of GET /metrics. */
  metrics: () => Promise<string>;
};

/**
 * Runs what may last, and tells it when the client has gone. By the connection's end, not the answer's: an
 * answer that stands behind others on one connection (pipelining) does not know of it.
 */
function whileThere<T>(
  { raw: { socket } }: FastifyRequest,
  run: (whenGone: WhenGone) => T | Promise<T>,
): T | Promise<T> {
  let stop = (): void => {};
  const result = run((stopIt) => {
    stop = stopIt;
    socket.setMaxListeners(0).once('close', stop);
  });
  return result instanceof Promise ? result.finally(() => socket.off('close', stop)) : result;
}

/** JSON that is put together from parts that are JSON already, and so not to be made again. */
function sendJson<T>(reply: FastifyReply, text: string): T {
  reply.type('application/json; charset=utf-8').serializer((json: string) => json);
  return text as unknown as T;
}

const resultToJson = serializer(WriteResult);

export function addRoutes(
  instance: FastifyInstance,
  { levels, targets, journal, writer, burst, stream, service, needsToken, counts, metrics }: Routes,
): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();

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
    (request, reply) => {
      const result = whileThere(request, (whenGone) => writer.write(request.body, request.id, whenGone));
      if (result instanceof Promise) return result;
      reply.send(result);
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
    async (request, reply) => {
      const results = await whileThere(request, (whenGone) => writer.writes(request.body.writes, request.id, whenGone));
      const parts = results.map((result) => ('status' in result ? JSON.stringify(result) : resultToJson(result)));
      return sendJson<WritesResult>(reply, `{"results":[${parts.join(',')}]}`);
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
    (request) => whileThere(request, (whenGone) => burst(request.body, request.id, whenGone)),
  );

  const targetIndex = new Map(targets.map(({ name }, index) => [name, index]));

  function subscriptionOf({ since, run, level, target, requestId, errors }: z.infer<typeof EventsQuery>): Subscription {
    const filter: Filter = { errors: errors === '1' };
    if (level !== undefined) filter.level = LEVEL_IDS.indexOf(level);
    if (requestId !== undefined) filter.requestId = requestId;
    if (target !== undefined) {
      filter.target = targetIndex.get(target) ?? -1;
      if (filter.target < 0)
        throw refusal(404, `there is no target '${target}': GET /targets lists them`, [
          { pointer: '?target', detail: 'unknown' },
        ]);
    }
    return { since, run, filter };
  }

  app.route({
    method: 'GET',
    url: '/events',
    schema: {
      operationId: 'events',
      summary: 'The record of every call',
      description:
        'With an upgrade to WebSocket: a live stream of text frames, each of one or more lines of JSON; the first is `{"type":"hello"}`, then `call` records, and `gap` where records were lost to a slow reader; asyncapi.yaml has it all. Without: the records that are kept, as JSON.',
      tags: ['records'],
      querystring: EventsQuery,
      response: { 200: Events, ...problems(401, 404) },
    },
    // What cannot be served must be said before the upgrade, or by a frame after it; see wsHandler.
    preHandler: (request, _reply, done) => {
      if (request.ws && request.query.limit !== undefined)
        throw refusal(400, 'limit is not for WebSocket: leave it out', [
          { pointer: '?limit', detail: 'not for WebSocket' },
        ]);
      subscriptionOf(request.query);
      if (request.ws && stream.isFull())
        throw busy(
          'there are as many subscribers as there may be: try again later, or start with a larger --max-subscribers',
          'subscribers',
        );
      done();
    },
    handler: (request, reply) => {
      const subscription = subscriptionOf(request.query);
      const problem = sinceProblem(subscription, journal, service);
      if (problem) throw refusal(400, problem.detail, [problem]);
      const limit = request.query.limit ?? DEFAULT_EVENTS;
      const lines: string[] = [];
      let at = Math.max(subscription.since ?? 1, journal.oldest());
      for (const next = journal.next(); at < next && lines.length < limit; at++) {
        if (journal.matches(at, subscription.filter)) lines.push(journal.line(at));
      }
      reply.send(sendJson(reply, `{"events":[${lines.join(',')}],"next":${at},"oldest":${journal.oldest()}}`));
    },
    wsHandler: (socket, request) => {
      const query = (request as FastifyRequest<{ Querystring: z.infer<typeof EventsQuery> }>).query;
      counts.answer(101, 'GET', '/events');
      stream.subscribe(socket, subscriptionOf(query));
    },
  });

  app.get(
    '/levels',
    {
      schema: {
        operationId: 'levels',
        summary: 'The levels, and how each reaches the kernel',
        tags: ['about'],
        response: { 200: Levels, ...problems(401) },
      },
    },
    () => ({
      levels: LEVEL_IDS.map((id) => {
        const { code, write: _, ...level } = levels[id];
        return { ...level, code: code && Buffer.from(code).toString('hex') };
      }),
      elsewhere,
    }),
  );

  app.get(
    '/targets',
    {
      schema: {
        operationId: 'targets',
        summary: 'Where a write can go',
        tags: ['about'],
        response: { 200: Targets, ...problems(401) },
      },
    },
    () => ({
      targets: targets.map(({ name, kind, shared, expects, reason }) => {
        const available = reason === null;
        return { name, kind, shared, expects, available, reason };
      }),
    }),
  );

  app.get(
    '/health',
    {
      // Asked by those who have no business with the token: a container's health check.
      config: { isOpen: true },
      schema: {
        operationId: 'health',
        summary: 'Whether the service answers',
        description: 'Needs no token.',
        tags: ['about'],
        security: [],
        response: { 200: Health, ...problems() },
      },
    },
    () => ({ status: 'ok' as const, version: VERSION, ...service, next: journal.next(), token: needsToken }),
  );

  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'metrics',
        summary: 'What happened so far, for Prometheus',
        description:
          'Calls by level, target and result, bytes, durations, HTTP answers, limits that somebody ran into, subscribers, records delivered and lost, waiting writes; the event loop’s lag and the process’s figures as prom-client has them.',
        tags: ['about'],
        response: { 200: Metrics, ...problems(401) },
      },
    },
    async (_request, reply) =>
      reply
        .type(METRICS_TYPE)
        .serializer((text: string) => text)
        .send(await metrics()),
  );
}
