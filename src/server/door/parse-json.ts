// The parser of JSON bodies.
import { isUtf8 } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import { refusal } from '../refusal.js';

function parse(text: string): [error: Error | null, value?: unknown] {
  try {
    return [null, JSON.parse(text)];
  } catch (error) {
    return [refusal('malformed', `the body is not JSON: ${(error as SyntaxError).message}`)];
  }
}

/**
 * Parses a body of type application/json, for Fastify. Its own parser would read a body that is not UTF-8 with U+FFFD in
 * it, and the service would write that.
 */
export function parseJson(
  { headers }: FastifyRequest,
  body: Buffer,
  done: (error: Error | null, value?: unknown) => void,
): void {
  const coding = headers['content-encoding'] ?? 'identity';
  if (coding.toLowerCase() !== 'identity')
    done(refusal('coded-body', `a body coded as '${coding}' is not taken: send it as it is`));
  else if (body.length === 0) done(refusal('malformed', 'the body is empty: send JSON'));
  else if (!isUtf8(body))
    done(refusal('malformed', 'the body is not valid UTF-8: send other bytes with "encoding": "base64"'));
  else done(...parse(body.toString()));
}
