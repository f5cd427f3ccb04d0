// Everything that made no call is answered as application/problem+json, whatever went wrong and
// however early. https://www.rfc-editor.org/rfc/rfc9457
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionError, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Problem } from './schema/problem.js';

export const PROBLEM_TYPE = 'application/problem+json';

/** A body may have a million keys too many; naming each would answer megabytes. */
const MAX_FIELD_ERRORS = 20;

export type FieldError = { pointer: string; detail: string };
export type Refusal = Error & {
  statusCode: number;
  errors?: FieldError[] | undefined;
  headers?: Record<string, string>;
};

/**
 * An error that is answered with `status`, to be thrown before any call is made.
 *
 * @param detail what is wrong and what to do about it
 * @param errors the fields at fault
 */
export function refusal(
  status: number,
  detail: string,
  errors?: FieldError[],
  headers: Record<string, string> = {},
): Refusal {
  // Clients' mistakes need no stack, and taking one costs more than the rest of the answer.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const error = Object.assign(new Error(detail), { statusCode: status, errors, headers });
  Error.stackTraceLimit = limit;
  return error;
}

export function problem(status: number, detail: string, requestId?: string, errors?: FieldError[]): Problem {
  const title = STATUS_CODES[status] ?? 'Unknown';
  return { type: 'about:blank', title, status, detail, ...(requestId && { requestId }), ...(errors && { errors }) };
}

/** Ends a connection with a whole answer that no request of Fastify's stands behind. */
export function refuseConnection(
  socket: Socket,
  status: number,
  detail: string,
  headers: Record<string, string> = {},
): void {
  const body = JSON.stringify(problem(status, detail));
  const fields = {
    'Content-Type': PROBLEM_TYPE,
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}

/** Refuses what a connection said last, once every whole request before it has its answer. */
function refuseInTurn(socket: Socket, status: number, detail: string): void {
  const { _httpMessage: answering } = socket as Socket & { _httpMessage?: ServerResponse };
  if (!socket.writable) return;
  if (answering?.req.complete) answering.once('finish', () => refuseInTurn(socket, status, detail));
  // Answered before all of it was there.
  else if (answering?.headersSent) answering.once('finish', () => socket.end());
  // No request, or one whose rest never comes: nobody else answers it.
  else refuseConnection(socket, status, detail);
}

/** Connections that were refused, or will be in their turn: the parser says so again at each further chunk. */
const refused = new WeakSet<Socket>();

/** What Node's parser refuses before there is a whole request: https://nodejs.org/api/http.html#event-clienterror */
export function onClientError(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  if (refused.has(socket)) return;
  refused.add(socket);
  if (error.code === 'HPE_HEADER_OVERFLOW')
    refuseInTurn(socket, 431, 'the headers are too large: send fewer or shorter ones');
  else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    refuseInTurn(socket, 408, 'the request did not arrive in time: send it faster');
  else refuseInTurn(socket, 400, `this is not HTTP/1.1: ${error.message}`);
}

/**
 * Ends what @fastify/websocket leaves open: an upgrade behind requests that have no answer yet, which cannot have the
 * connection, and one that is refused before any hook runs, for its URL.
 */
export function endUpgrade(request: IncomingMessage, socket: Socket): void {
  const { _httpMessage: answering } = socket as Socket & { _httpMessage?: ServerResponse };
  if (answering && answering.req !== request)
    refuseInTurn(socket, 400, 'an upgrade cannot stand behind other requests: send it on a connection of its own');
  else answering?.once('finish', () => socket.destroySoon());
}

/** Node closes without a word by itself, and leaves the socket's errors to us: https://nodejs.org/api/http.html#event-connect */
export function refuseConnect(_request: IncomingMessage, socket: Socket): void {
  socket.on('error', () => socket.destroy());
  refuseInTurn(socket, 501, 'this is no proxy: CONNECT is not offered');
}

/** Node's own 417 has no body: https://nodejs.org/api/http.html#event-checkexpectation */
export function refuseExpectation({ headers }: IncomingMessage, response: ServerResponse): void {
  const detail = `Expect: ${headers.expect} cannot be met: leave it out, or send 100-continue`;
  const body = JSON.stringify(problem(417, detail));
  response.writeHead(417, { 'content-type': PROBLEM_TYPE, 'content-length': Buffer.byteLength(body) }).end(body);
}

/** What zod found, field by field: `#/msg` in a body, `?since` in a query; a key too many by its own place. */
function fieldErrors({ validation = [], validationContext }: FastifyError): FieldError[] {
  const isQuery = validationContext === 'querystring';
  const pointer = (path: string): string => (isQuery ? `?${path.slice(1)}` : path === '/' ? '#' : `#${path}`);
  return validation.flatMap(({ instancePath, message = 'is not valid', params }) => {
    const { keys } = params as { keys?: string[] };
    if (!keys) return [{ pointer: pointer(instancePath), detail: message }];
    const parent = instancePath === '/' ? '' : instancePath;
    return keys.map((key) => ({ pointer: pointer(`${parent}/${key}`), detail: 'is not known here: leave it out' }));
  });
}

/** In our words, where Fastify's do not say what to do. */
const DETAILS: Record<string, (request: FastifyRequest) => string> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ({ routeOptions }) =>
    `the body is over the limit of ${routeOptions.bodyLimit} bytes: send less, or start with a larger --body-limit`,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => 'send a body of Content-Type: application/json',
  FST_ERR_CTP_EMPTY_JSON_BODY: () => 'the body is empty: send JSON',
};

function explain(error: FastifyError | Refusal, request: FastifyRequest): Problem {
  if ('validation' in error && error.validation) {
    const all = fieldErrors(error);
    const errors = all.slice(0, MAX_FIELD_ERRORS);
    const told = errors.map(({ pointer, detail }) => `${pointer}: ${detail}`);
    if (all.length > errors.length) told.push(`and ${all.length - errors.length} more`);
    return problem(400, told.join('; '), request.id, errors);
  }
  const status = error.statusCode ?? 500;
  // What is not a client's mistake is logged whole and told briefly.
  if (status === 500) return problem(500, 'the service made a mistake; its log says more', request.id);
  const detail = 'code' in error ? DETAILS[error.code]?.(request) : undefined;
  return problem(status, detail ?? error.message, request.id, 'errors' in error ? error.errors : undefined);
}

/** Answers any error. */
export function answerError(error: FastifyError | Refusal, request: FastifyRequest, reply: FastifyReply): void {
  const answer = explain(error, request);
  if (answer.status === 500) request.log.error({ err: error, requestId: request.id }, 'failed');
  if ('headers' in error) reply.headers(error.headers ?? {});
  // Taken from Node's parser, the connection serves nothing after this.
  if ((request.raw as IncomingMessage & { upgrade?: boolean }).upgrade) reply.header('connection', 'close');
  reply.code(answer.status).type(PROBLEM_TYPE).serializer(JSON.stringify).send(answer);
}

/** Answers what no route takes: 405 where another method would do, else 404. */
export function answerUnknown(app: FastifyInstance, request: FastifyRequest): never {
  const path = request.url.split('?', 1)[0] as string;
  const allowed = ['GET', 'POST'].filter((method) => app.hasRoute({ method, url: path }));
  if (allowed.length === 0) throw refusal(404, `there is nothing at ${path}: /docs shows what there is`);
  throw refusal(405, `${path} takes ${allowed.join(' and ')}`, undefined, { allow: allowed.join(', ') });
}
