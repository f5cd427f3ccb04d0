// GET /events: the records, as JSON or as a stream over WebSocket.
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { LEVEL_IDS } from '../../protocol/names.js';
import { Events, EventsQuery } from '../../protocol/records.js';
import { sendList } from '../answers/send-json.js';
import { problems } from '../answers/statuses.js';
import { type Targets, unknownTarget } from '../calls/targets.js';
import type { Counters } from '../metrics/counters.js';
import { createCursor } from '../records/cursor.js';
import type { Filter, Journal } from '../records/journal.js';
import type { ServiceRun } from '../records/run.js';
import { type Stream, type Subscription, unservable } from '../records/stream.js';
import { busy, refusal } from '../refusal.js';

const DEFAULT_EVENTS = 1000;
/** Records that are read at once: they are made before the client takes them. */
const PIECE_RECORDS = 200;

export type EventRoutes = {
  targets: Targets;
  journal: Journal;
  stream: Stream;
  service: ServiceRun;
  counters: Counters;
};

export const eventRoutes: FastifyPluginAsyncZod<EventRoutes> = async (app, deps) => {
  const { targets, journal, stream, service, counters } = deps;

  function subscriptionOf({ since, run, level, target, requestId, errors }: EventsQuery): Subscription {
    const filter: Filter = { errors: errors === '1' };
    if (level !== undefined) filter.level = LEVEL_IDS.indexOf(level);
    if (requestId !== undefined) filter.requestId = requestId;
    if (target !== undefined) {
      const index = targets.indexOf(target);
      if (index === undefined) throw unknownTarget(targets, target, '?target');
      filter.target = index;
    }
    return { since, run, filter };
  }

  app.route({
    method: 'GET',
    url: '/events',
    schema: {
      operationId: 'events',
      summary: 'Read the records of calls',
      description:
        'Without an upgrade: returns the records that the service keeps, as JSON. With an upgrade to WebSocket: a live stream of text frames with one or more lines of JSON each. The first line is `{"type":"hello"}`. After it come `call` records, and a `gap` for records that a slow reader lost. asyncapi.yaml describes the stream.',
      tags: ['records'],
      querystring: EventsQuery,
      response: { 200: Events, ...problems(401, 404) },
    },
    // Check before the upgrade: after it, the answer cannot be a problem over HTTP.
    preHandler: ({ ws, query }, _reply, done) => {
      if (ws && query.limit !== undefined) {
        const detail = 'limit does not apply to WebSocket: leave it out';
        throw refusal('malformed', detail, { errors: [{ pointer: '?limit', detail }] });
      }
      subscriptionOf(query);
      if (ws && stream.isFull())
        throw busy(
          `the limit of ${stream.limit} subscribers is reached: try again later, or start with a larger --max-subscribers`,
          'subscribers',
        );
      done();
    },
    handler: (request, reply) => {
      const { since = 1, run, filter } = subscriptionOf(request.query);
      const problem = unservable({ since: request.query.since, run, filter }, journal, service);
      if (problem) throw refusal('malformed', problem.detail, { errors: [problem] });
      const limit = request.query.limit ?? DEFAULT_EVENTS;
      const oldest = journal.oldest();
      // Begin at the oldest record, so that the cursor returns no gap: `oldest` shows which records are lost.
      const cursor = createCursor(journal, { from: Math.max(since, oldest), filter });
      // A client that takes the answer slowly may be overtaken: the answer ends there, and `next` goes on from there.
      function* lines(): Generator<string> {
        for (let found = 0; found < limit && cursor.isBehind() && cursor.next() >= journal.oldest(); ) {
          const some = cursor.read({ records: Math.min(limit - found, PIECE_RECORDS) });
          found += some.length;
          yield* some;
        }
      }
      reply.send(sendList(reply, '{"events":[', lines(), () => `],"next":${cursor.next()},"oldest":${oldest}}`));
    },
    wsHandler: (socket, request) => {
      const { query } = request as FastifyRequest<{ Querystring: EventsQuery }>;
      counters.answer(101, 'GET', '/events');
      stream.subscribe(socket, subscriptionOf(query));
    },
  });
};
