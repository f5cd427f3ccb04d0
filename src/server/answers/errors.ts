// Answers refusals and errors. Every request that made no call gets application/problem+json.
import type { IncomingMessage } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Problem } from '../../protocol/problem.js';
import type { Counters } from '../metrics/counters.js';
import { isRefusal, quoteHeader, type Refusal } from '../refusal.js';
import { ANSWERS, PROBLEM_TYPE, problem, problemOf } from './statuses.js';

/** Replacements for Fastify's messages that do not say what to do, by error code. */
const DETAILS: Record<string, (request: FastifyRequest) => string> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ({ headers: { 'content-type': type } }) =>
    type === undefined
      ? 'the Content-Type header is missing: send JSON, with Content-Type: application/json'
      : `Content-Type ${quoteHeader(type)} is not supported: send JSON, with Content-Type: application/json`,
};

function explain(error: FastifyError | Refusal, request: FastifyRequest): Problem {
  if (isRefusal(error)) return problemOf(error, request.id);
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
