// Reads and parses JSON bodies, in place of Fastify's own parser.
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { MAX_WRITES } from '../../protocol/limits.js';
import { quoteHeader, type Refusal, refusal } from '../refusal.js';
import type { Budget } from './budget.js';

type Done = (error: Error | null, value?: unknown) => void;

/** A body is held as bytes, as text, as the parsed message and as the bytes to write. */
const COPIES = 4;
/** Bodies up to this size are not counted: as many of them as there may be connections fit into little memory. */
const SMALL_BYTES = 16 << 10;

/** The limit of routes whose bodies are short. No route has a lower one of its own. */
export const SMALLEST_LIMIT = 8 << 10;
const EMPTY: Buffer = Buffer.alloc(0);

/** Characters that a shell or an editor puts into a text, and how JSON has them. */
const ESCAPED: Readonly<Record<string, string>> = {
  '\n': 'a line feed inside a text must be written \\n',
  '\r': 'a carriage return inside a text must be written \\r',
  '\t': 'a tab inside a text must be written \\t',
};

/** Says what to do about the character at which JSON ends. */
function remedyAt(text: string, position: number): string {
  const character = text[position] ?? '';
  if (character in ESCAPED) return ESCAPED[character] as string;
  if (/[}\]]/.test(character) && text.slice(0, position).trimEnd().endsWith(','))
    return `remove the comma before ${character}`;
  return 'names and texts stand in double quotes, and commas between the fields';
}

/** Makes the refusal of a body that is not JSON. V8's own message repeats the body, which may have a token in it. */
function notJson({ message }: SyntaxError, text: string): Refusal {
  // At the end only: the part of the body may have such words too.
  const [, position] = /JSON at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(message) ?? [];
  const detail =
    position === undefined
      ? 'the body is not JSON: send an object, with its names and texts in double quotes'
      : `the body is not JSON from character ${Number(position) + 1} on: ${remedyAt(text, Number(position))}`;
  return refusal('malformed', detail);
}

/** The most marks in a body: a write with all its fields has thirteen. */
const MAX_MARKS = 14 * MAX_WRITES;
const [QUOTE, BACKSLASH, ...MARKS] = Buffer.from('"\\,:[{');

/**
 * Returns true if a body has more values than any request needs. A parsed value, and the error about it, take up to a
 * hundred times the memory of its text: 4 MiB of brackets would be hundreds of MiB.
 */
function hasTooManyValues(body: Buffer): boolean {
  let marks = 0;
  let isInString = false;
  for (let at = 0; at < body.length && marks <= MAX_MARKS; at++) {
    const byte = body[at] as number;
    if (byte === QUOTE) isInString = !isInString;
    else if (!isInString) marks += MARKS.includes(byte) ? 1 : 0;
    else if (byte === BACKSLASH) at += 1;
  }
  return marks > MAX_MARKS;
}

/** @throws a refusal */
function parse(body: Buffer): unknown {
  if (body.length === 0) throw refusal('malformed', 'the body is empty: send JSON');
  if (!isUtf8(body))
    throw refusal('malformed', 'the body is not valid UTF-8: to write such bytes, send them with "encoding": "base64"');
  if (body.length > MAX_MARKS && hasTooManyValues(body))
    throw refusal('malformed', `the body has more values than ${MAX_WRITES} writes have: send fewer`);
  const text = body.toString();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notJson(error as SyntaxError, text);
  }
}

function tooLarge(limit: number, isFlag: boolean): Refusal {
  const remedy = isFlag ? 'send less, or start with a larger --body-limit' : 'send less';
  return refusal('too-large', `the body is over the limit of ${limit} bytes: ${remedy}`, { limit: 'body' });
}

/**
 * Returns a parser of type application/json for Fastify.
 *
 * Fastify's own would read a body that is not UTF-8 with U+FFFD in it, and the service would write that. It also has no
 * bound on what all bodies hold together.
 *
 * @param bodyLimit the largest body in bytes, where a route has no limit of its own
 */
export function createJsonParser(budget: Budget, bodyLimit: number) {
  const leastLimit = Math.min(bodyLimit, SMALLEST_LIMIT);
  return (request: FastifyRequest, payload: IncomingMessage, done: Done): void => {
    const { headers } = request;
    const coding = headers['content-encoding'] ?? 'identity';
    if (coding.toLowerCase() !== 'identity') {
      done(refusal('coded-body', `Content-Encoding ${quoteHeader(coding)} is not supported: send the body without it`));
      return;
    }
    let limit = leastLimit;
    /** @throws a refusal of a size above the limit of the route */
    function checkSize(bytes: number): void {
      if (bytes <= limit) return;
      // Fastify makes the object routeOptions anew each time that it is read: most requests need no look at it.
      limit = request.routeOptions.bodyLimit ?? bodyLimit;
      if (bytes > limit) throw tooLarge(limit, limit === bodyLimit);
    }
    try {
      checkSize(Number(headers['content-length'] ?? 0));
    } catch (error) {
      done(error as Error);
      return;
    }
    // One buffer that grows, because a list of thousands of small chunks would take a hundred times their bytes.
    let body = EMPTY;
    let size = 0;
    let isOver = false;

    function giveUp(error: Error): void {
      payload.off('data', onData).off('end', onEnd).off('error', onError);
      isOver = true;
      done(error);
    }
    function onData(chunk: Buffer): void {
      const before = size;
      size += chunk.length;
      try {
        checkSize(size);
        // The first bytes are counted once the body turns out to be large.
        if (size > SMALL_BYTES) budget.hold(request.answer, COPIES * (size - (before > SMALL_BYTES ? before : 0)));
      } catch (error) {
        giveUp(error as Error);
        return;
      }
      if (before === 0) body = chunk;
      else {
        if (size > body.length) body = Buffer.concat([body], Math.min(limit, 2 * size));
        chunk.copy(body, before);
      }
    }
    function onEnd(): void {
      // The listeners stay: to remove them takes as long as to parse a small body.
      isOver = true;
      let value: unknown;
      try {
        value = parse(size === body.length ? body : body.subarray(0, size));
      } catch (error) {
        done(error as Error);
        return;
      }
      done(null, value);
    }
    function onError(): void {
      if (!isOver) giveUp(refusal('malformed', 'the body broke off: send all of it'));
    }
    payload.on('data', onData).on('end', onEnd).on('error', onError);
  };
}
