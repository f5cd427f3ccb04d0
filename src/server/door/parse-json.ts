// Parses JSON bodies in place of Fastify's own parser.
import { isUtf8 } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import { quoteHeader, refusal } from '../refusal.js';

function parse(text: string): [error: Error | null, value?: unknown] {
  try {
    return [null, JSON.parse(text)];
  } catch (error) {
    return [refusal('malformed', `the body is not JSON: ${(error as SyntaxError).message}`)];
  }
}

/**
 * Parses a body of type application/json. Fastify's own parser replaces bytes that are not UTF-8 by U+FFFD, and the
 * service would then write U+FFFD.
 */
export function parseJson(
  { headers }: FastifyRequest,
  body: Buffer,
  done: (error: Error | null, value?: unknown) => void,
): void {
  const coding = headers['content-encoding'] ?? 'identity';
  if (coding.toLowerCase() !== 'identity')
    done(refusal('coded-body', `Content-Encoding ${quoteHeader(coding)} is not supported: send the body without it`));
  else if (body.length === 0) done(refusal('malformed', 'the body is empty: send JSON'));
  else if (!isUtf8(body))
    done(refusal('malformed', 'the body is not valid UTF-8: to write such bytes, send them with "encoding": "base64"'));
  else done(...parse(body.toString()));
}
