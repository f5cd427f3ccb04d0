// Everything that made no call is answered as application/problem+json, whatever went wrong and
// however early. https://www.rfc-editor.org/rfc/rfc9457
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../../protocol/problem.js';
import type { Counts, Limit } from '../metrics/counters.js';

export const PROBLEM_TYPE = 'application/problem+json';

/** A body may have a million keys too many; naming each would answer megabytes. */
const MAX_FIELD_ERRORS = 20;

export type FieldError = { pointer: string; detail: string };
export type Refusal = Error & {
  statusCode: number;
  errors?: FieldError[] | undefined;
  headers?: Record<string, string>;
  /** What was run into, to be counted by who answers it. */
  limit?: Limit | undefined;
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

/**
 * A refusal for what may go better at another time.
 *
 * @param limit what keeps it from going now
 * @param seconds when it may
 */
export const busy = (detail: string, limit?: Limit, seconds = 1): Refusal =>
  Object.assign(refusal(503, detail, undefined, { 'retry-after': `${seconds}` }), { limit });

/** The answers to be documented for a route: these, and what any request may meet: a bad one, the guard, a busy service. */
export const problems = <const S extends number = never>(...more: S[]): Record<S | 400 | 403 | 503, typeof Problem> =>
  Object.fromEntries([400, 403, 503, ...more].map((status) => [status, Problem])) as Record<
    S | 400 | 403 | 503,
    typeof Problem
  >;

export function problem(status: number, detail: string, requestId?: string, errors?: FieldError[]): Problem {
  const title = STATUS_CODES[status] ?? 'Unknown';
  return { type: 'about:blank', title, status, detail, ...(requestId && { requestId }), ...(errors && { errors }) };
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
export function answerError(
  error: FastifyError | Refusal,
  request: FastifyRequest,
  reply: FastifyReply,
  counts: Counts,
): void {
  const limit = 'code' in error && error.code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? 'body' : (error as Refusal).limit;
  if (limit) counts.limit(limit);
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
