// Every answer to a request that made no call is application/problem+json, whatever went wrong and however early.
// https://www.rfc-editor.org/rfc/rfc9457
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../../protocol/problem.js';
import type { Counters } from '../metrics/counters.js';
import { type FieldError, isRefusal, type Refusal, type RefusalKind, refusal } from '../refusal.js';

export const PROBLEM_TYPE = 'application/problem+json';

/** A body may have a million unknown keys; naming each would make an answer of megabytes. */
const MAX_FIELD_ERRORS = 20;

type Headers = Record<string, string>;

/** How each kind of refusal is answered. */
const ANSWERS: Record<RefusalKind, { status: number; headers?: (refusal: Refusal) => Headers }> = {
  malformed: { status: 400 },
  'no-token': { status: 401, headers: () => ({ 'www-authenticate': 'Bearer' }) },
  'wrong-token': { status: 401 },
  foreign: { status: 403 },
  'unknown-target': { status: 404 },
  'unknown-path': { status: 404 },
  'wrong-method': { status: 405, headers: ({ allowed = [] }) => ({ allow: allowed.join(', ') }) },
  'too-large': { status: 413 },
  'coded-body': { status: 415, headers: () => ({ 'accept-encoding': 'identity' }) },
  unavailable: { status: 501 },
  busy: { status: 503, headers: ({ retryAfterS = 1 }) => ({ 'retry-after': `${retryAfterS}` }) },
};

/** The answers to document for a route: these, and those that any request may get. */
export const problems = <const S extends number = never>(...more: S[]): Record<S | 400 | 403 | 503, typeof Problem> =>
  Object.fromEntries([400, 403, 503, ...more].map((status) => [status, Problem])) as Record<
    S | 400 | 403 | 503,
    typeof Problem
  >;

export function problem(status: number, detail: string, requestId?: string, errors?: FieldError[]): Problem {
  const title = STATUS_CODES[status] ?? 'Unknown';
  return { type: 'about:blank', title, status, detail, ...(requestId && { requestId }), ...(errors && { errors }) };
}

/** A refusal as an answer's body, or as one result among others. */
export const problemOf = ({ kind, message, errors }: Refusal, requestId?: string): Problem =>
  problem(ANSWERS[kind].status, message, requestId, errors);

/** zod's findings, field by field: `#/msg` in a body, `?since` in a query. Each unknown key is a finding of its own. */
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

function validationProblem(error: FastifyError, requestId: string): Problem {
  const all = fieldErrors(error);
  const errors = all.slice(0, MAX_FIELD_ERRORS);
  const details = errors.map(({ pointer, detail }) => `${pointer}: ${detail}`);
  if (all.length > errors.length) details.push(`and ${all.length - errors.length} more`);
  return problem(400, details.join('; '), requestId, errors);
}

/** Our words for Fastify's errors whose own do not say what to do. */
const DETAILS: Record<string, (request: FastifyRequest) => string> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => 'send a body of Content-Type: application/json',
};

function explain(error: FastifyError | Refusal, request: FastifyRequest): Problem {
  if (isRefusal(error)) return problemOf(error, request.id);
  if (error.validation) return validationProblem(error, request.id);
  const status = error.statusCode ?? 500;
  // The client gets few words about our own mistakes; the log has all of them.
  if (status === 500) return problem(500, 'the service made a mistake; its log says more', request.id);
  return problem(status, DETAILS[error.code]?.(request) ?? error.message, request.id);
}

/** Answers any error. */
export function answerError(
  error: FastifyError | Refusal,
  request: FastifyRequest,
  reply: FastifyReply,
  counters: Counters,
): void {
  if (isRefusal(error) && error.limit) counters.limit(error.limit);
  const answer = explain(error, request);
  if (answer.status === 500) request.log.error({ err: error, requestId: request.id }, 'failed');
  if (isRefusal(error)) reply.headers(ANSWERS[error.kind].headers?.(error) ?? {});
  // An upgrade has taken the connection from Node's parser: it serves nothing after this.
  if ((request.raw as IncomingMessage & { upgrade?: boolean }).upgrade) reply.header('connection', 'close');
  reply.code(answer.status).type(PROBLEM_TYPE).serializer(JSON.stringify).send(answer);
}

/** Refuses a request that no route takes: as a wrong method where another one would do. */
export function refuseUnknown(app: FastifyInstance, request: FastifyRequest): never {
  const path = request.url.split('?', 1)[0] as string;
  const allowed = ['GET', 'POST'].filter((method) => app.hasRoute({ method, url: path }));
  if (allowed.length === 0) throw refusal('unknown-path', `there is nothing at ${path}: /docs shows what there is`);
  throw refusal('wrong-method', `${path} takes ${allowed.join(' and ')}`, { allowed });
}
