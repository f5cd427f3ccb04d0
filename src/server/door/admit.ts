// The checks that every request passes before its body is read, in the order in which they run.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { busy, refusal, tooLate } from '../refusal.js';
import type { Connections } from './connections.js';
import { isLingering } from './linger.js';

export type AdmitOptions = {
  connections: Connections;
  /** Throws a refusal. */
  guard: (request: FastifyRequest) => void;
  isStopping: () => boolean;
};

const REQUEST_ID = /^[\w.-]{1,64}$/;

/** Returns a function that gives each request its id: its own X-Request-Id, or `RUN-1`, `RUN-2` and so on. */
export function createRequestIds(run: string): (request: { headers: IncomingHttpHeaders }) => string {
  let requests = 0;
  return ({ headers }) => {
    const given = headers['x-request-id'];
    return typeof given === 'string' && REQUEST_ID.test(given) ? given : `${run}-${++requests}`;
  };
}

/**
 * The headers of every answer. No site may show an answer in a frame (a click in /docs makes calls), load one as an image
 * or a script (which would show it that the service runs), or find one in a cache.
 */
export const ANSWER_HEADERS = {
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

export function addHeaders({ id }: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', id).headers(ANSWER_HEADERS);
}

/** Refuses WebSocket elsewhere than at /events. Other upgrades are ignored (upgrades.ts). */
function checkUpgrade({ ws, routeOptions }: FastifyRequest): void {
  if (ws && routeOptions.url !== '/events')
    throw refusal('malformed', 'WebSocket is not supported here: leave out the Upgrade header, or use /events');
}

export function createAdmission({ connections, guard, isStopping }: AdmitOptions): onRequestHookHandler {
  return (request, reply, done) => {
    addHeaders(request, reply);
    request.answer = reply.raw;
    connections.onRequest(request.raw.socket);
    if (connections.isExcess(request.raw.socket)) {
      reply.header('connection', 'close');
      throw busy(
        `the limit of ${connections.limit} connections is reached: close some, or try again later`,
        'connections',
      );
    }
    if (isLingering(request.raw.socket)) throw busy('this connection is closing: send the request on another one');
    guard(request);
    if (isStopping()) throw tooLate('the service is stopping');
    checkUpgrade(request);
    done();
  };
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Node's response, for what must end with it. */
    answer: ServerResponse;
  }
}
