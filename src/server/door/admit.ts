// The checks that every request passes before its body is read, in their order.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { busy, refusal } from '../refusal.js';
import type { Connections } from './connections.js';
import { isLingering } from './linger.js';

export type AdmitOptions = {
  connections: Connections;
  /** Throws a refusal. */
  guard: (request: FastifyRequest) => void;
  isStopping: () => boolean;
};

const REQUEST_ID = /^[\w.-]{1,64}$/;

/** Returns what names each request: its own X-Request-Id, or `RUN-1`, `RUN-2` and so on. */
export function createRequestIds(run: string): (request: { headers: IncomingHttpHeaders }) => string {
  let requests = 0;
  return ({ headers }) => {
    const given = headers['x-request-id'];
    return typeof given === 'string' && REQUEST_ID.test(given) ? given : `${run}-${++requests}`;
  };
}

/** Adds the headers of every answer to a request that could be read. Nobody may frame any: a click on /docs makes calls. */
export function addHeaders({ id }: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', id).header('x-frame-options', 'DENY');
}

/** An upgrade takes the connection from Node's parser, so that a request for another protocol could not be served. */
function checkUpgrade({ ws, headers: { upgrade }, raw, routeOptions }: FastifyRequest): void {
  const isWebSocket = upgrade?.toLowerCase() === 'websocket' && raw.httpVersion === '1.1';
  if (ws && (routeOptions.url !== '/events' || !isWebSocket))
    throw refusal(
      'malformed',
      `upgrade to '${upgrade}' is not offered here: leave out the Upgrade header; WebSocket is at /events, over HTTP/1.1`,
    );
}

export function createAdmission({ connections, guard, isStopping }: AdmitOptions): onRequestHookHandler {
  return (request, reply, done) => {
    addHeaders(request, reply);
    request.answer = reply.raw;
    if (connections.isExcess(request.raw.socket)) {
      reply.header('connection', 'close');
      throw busy('there are as many connections as there may be: close some, or try again later', 'connections');
    }
    if (isLingering(request.raw.socket)) throw busy('this connection is closing: send the request on another one');
    guard(request);
    if (isStopping()) throw busy('the service is stopping');
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
