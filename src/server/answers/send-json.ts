// Answers whose body is JSON already: put together from parts that were serialized before.
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';

/** An answer up to about this size is sent at once. Of a larger one, no more than this is held for a slow client. */
const PIECE_CHARS = 1 << 16;

/** Joins items to pieces of JSON: `head`, the items with commas in between, and `tail`, which is called last. */
function* piecesOf(head: string, items: Iterable<string>, tail: () => string): Generator<string> {
  let piece = head;
  let separator = '';
  for (const item of items) {
    piece += separator + item;
    separator = ',';
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = '';
  }
  yield piece + tail();
}

/**
 * Sends a JSON text of a `T` that has a list in it: `head`, the items, and `tail`.
 *
 * @param items are asked for as the client takes them
 */
export function sendList<T>(reply: FastifyReply, head: string, items: Iterable<string>, tail: () => string): T {
  reply.type('application/json; charset=utf-8').serializer((json: string) => json);
  const pieces = piecesOf(head, items, tail);
  const first = pieces.next().value as string;
  const second = pieces.next();
  if (second.done) return first as unknown as T;
  async function* rest(): AsyncGenerator<string> {
    yield first;
    yield second.value as string;
    for (const piece of pieces) {
      // A client that takes all at once would otherwise hold up the others until the last piece.
      await setImmediate();
      yield piece;
    }
  }
  return Readable.from(rest(), { objectMode: false, highWaterMark: PIECE_CHARS }) as unknown as T;
}
