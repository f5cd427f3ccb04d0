// The checks that every request passes before its body is read, in the order in which they run.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { busy, refusal, tooLate } from '../refusal.js';
import { type Budget, PIPELINED_BYTES } from './budget.js';
import { type Connections, ignoreFurtherRequests } from './connections.js';
import { hasTooManyHeaders, TOO_MANY_HEADERS } from './headers.js';
import { isLingering } from './linger.js';

export type AdmitOptions = {
  connections: Connections;
  budget: Budget;
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
function checkUpgrade(request: FastifyRequest): void {
  if (request.ws && request.routeOptions.url !== '/events')
    throw refusal('malformed', 'WebSocket is not supported here: leave out the Upgrade header, or use /events');
}

export function createAdmission({ connections, budget, guard, isStopping }: AdmitOptions): onRequestHookHandler {
  /** Holds memory for a request that is pipelined behind others. @throws a refusal, the connection's last answer */
  function holdPipelined(socket: Socket, reply: FastifyReply): void {
    try {
      budget.hold(reply.raw, PIPELINED_BYTES, false);
    } catch (error) {
      ignoreFurtherRequests(socket);
      reply.header('connection', 'close');
      throw error;
    }
  }

  return (request, reply, done) => {
    const { socket } = request.raw;
    addHeaders(request, reply);
    request.answer = reply.raw;
    if (connections.onRequest(socket, reply.raw) > 1) holdPipelined(socket, reply);
    if (connections.isExcess(socket)) {
      reply.header('connection', 'close');
      throw busy(
        `the limit of ${connections.limit} connections is reached: close some, or try again later`,
        'connections',
      );
    }
    if (hasTooManyHeaders(request.raw)) throw refusal('too-many-headers', TOO_MANY_HEADERS, { limit: 'headers' });
    if (isLingering(socket)) throw busy('this connection is closing: send the request on another one');
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
