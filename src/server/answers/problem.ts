// Turns refusals and errors into answers. Every request that made no call gets application/problem+json.
// https://www.rfc-editor.org/rfc/rfc9457
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../../protocol/problem.js';
import type { Counters } from '../metrics/counters.js';
import { type FieldError, isRefusal, quoteHeader, type Refusal, type RefusalKind, refusal } from '../refusal.js';

export const PROBLEM_TYPE = 'application/problem+json';

/** The most fields that one problem lists. A body may have a million unknown keys, and an answer should stay short. */
const MAX_FIELD_ERRORS = 20;

type Headers = Record<string, string>;

/** The status and the headers of each kind of refusal. */
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

/** Returns the problems that openapi.yaml lists for a route: the given statuses, and those of every request. */
export const problems = <const S extends number = never>(...more: S[]): Record<S | 400 | 403 | 503, typeof Problem> =>
  Object.fromEntries([400, 403, 503, ...more].map((status) => [status, Problem])) as Record<
    S | 400 | 403 | 503,
    typeof Problem
  >;

export function problem(status: number, detail: string, requestId?: string, errors?: FieldError[]): Problem {
  const title = STATUS_CODES[status] ?? 'Unknown';
  return { type: 'about:blank', title, status, detail, ...(requestId && { requestId }), ...(errors && { errors }) };
}

/** Makes the problem of a refusal, for an answer or for one of several results. */
export const problemOf = ({ kind, message, errors }: Refusal, requestId?: string): Problem =>
  problem(ANSWERS[kind].status, message, requestId, errors);

/** Converts zod's findings to one error per field: `#/msg` in a body, `?since` in a query, and each unknown key. */
function fieldErrors({ validation = [], validationContext }: FastifyError): FieldError[] {
  const isQuery = validationContext === 'querystring';
  const pointer = (path: string): string => (isQuery ? `?${path.slice(1)}` : path === '/' ? '#' : `#${path}`);
  return validation.flatMap(({ instancePath, message = 'is not valid', params }) => {
    const { keys } = params as { keys?: string[] };
    if (!keys) return [{ pointer: pointer(instancePath), detail: message }];
    const parent = instancePath === '/' ? '' : instancePath;
    return keys.map((key) => ({ pointer: pointer(`${parent}/${key}`), detail: 'is unknown: leave it out' }));
  });
}

function validationProblem(error: FastifyError, requestId: string): Problem {
  const all = fieldErrors(error);
  const errors = all.slice(0, MAX_FIELD_ERRORS);
  const details = errors.map(({ pointer, detail }) => `${pointer}: ${detail}`);
  if (all.length > errors.length) details.push(`and ${all.length - errors.length} more`);
  return problem(400, details.join('; '), requestId, errors);
}

/** Replacements for Fastify's messages that do not say what to do, by error code. */
const DETAILS: Record<string, (request: FastifyRequest) => string> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ({ headers: { 'content-type': type } }) =>
    type === undefined
      ? 'the Content-Type header is missing: send JSON, with Content-Type: application/json'
      : `Content-Type ${quoteHeader(type)} is not supported: send JSON, with Content-Type: application/json`,
};

function explain(error: FastifyError | Refusal, request: FastifyRequest): Problem {
  if (isRefusal(error)) return problemOf(error, request.id);
  if (error.validation) return validationProblem(error, request.id);
  const status = error.statusCode ?? 500;
  // The message of an internal error may contain paths or other details of this machine. Only the log gets it.
  if (status === 500) return problem(500, "an internal error occurred: the service's log has the details", request.id);
  return problem(status, DETAILS[error.code]?.(request) ?? error.message, request.id);
}

/** Answers a refusal or an error with its problem. Counts the limit that it reached, and logs internal errors. */
export function answerError(
  error: FastifyError | Refusal,
  request: FastifyRequest,
  reply: FastifyReply,
  counters: Counters,
): void {
  if (isRefusal(error) && error.limit) counters.limit(error.limit);
  const answer = explain(error, request);
  if (answer.status === 500) request.log.error({ err: error, requestId: request.id }, 'request failed');
  if (isRefusal(error)) reply.headers(ANSWERS[error.kind].headers?.(error) ?? {});
  // An upgrade has taken the connection from Node's parser, which cannot serve another request on it.
  if ((request.raw as IncomingMessage & { upgrade?: boolean }).upgrade) reply.header('connection', 'close');
  reply.code(answer.status).type(PROBLEM_TYPE).serializer(JSON.stringify).send(answer);
}

/** Refuses a request without a route: as a wrong method if the path has another one, else as an unknown path. */
export function refuseUnknown(app: FastifyInstance, request: FastifyRequest): never {
  const path = request.url.split('?', 1)[0] as string;
  const allowed = ['GET', 'POST'].filter((method) => app.hasRoute({ method, url: path }));
  if (allowed.length === 0) throw refusal('unknown-path', `there is nothing at ${path}: /docs lists the paths`);
  throw refusal('wrong-method', `${path} does not accept ${request.method}: use ${allowed.join(' or ')}`, { allowed });
}
