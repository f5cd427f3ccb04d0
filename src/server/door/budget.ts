// The memory that requests hold together: bodies that arrive or wait, and what is kept for answers that clients do not
// take. Without a common bound, a few dozen clients could use up the memory of the machine or the container.
import type { ServerResponse } from 'node:http';
import { totalmem } from 'node:os';
import { Readable } from 'node:stream';
import { busy } from '../refusal.js';
import { clientGone } from './connections.js';

const MIB = 1 << 20;
/** A quarter of the memory that there is, within these bounds. */
const PART = 1 / 4;
const LEAST_BYTES = 32 * MIB;
const MOST_BYTES = 512 * MIB;

/** The budget for this machine, or for the container that the process runs in. */
export function defaultBudget(): number {
  // 0 where there is no limit: https://nodejs.org/api/process.html#processconstrainedmemory
  const limit = process.constrainedMemory() || totalmem();
  return Math.max(LEAST_BYTES, Math.min(MOST_BYTES, totalmem() * PART, limit * PART));
}

export type Budget = {
  /**
   * Holds memory for a request, until its answer has left or its connection has closed.
   *
   * @param isForAnswer true if the answer needs no more than this
   * @throws a refusal when other requests hold too much already
   */
  hold: (response: ServerResponse, bytes: number, isForAnswer?: boolean) => void;
  /** Returns true if a request holds the memory of its answer already. */
  holdsAnswer: (response: ServerResponse) => boolean;
};

/**
 * A request that comes before the one ahead of it on its connection has its answer: what Node and Fastify keep for it,
 * and a small answer. Node reads 64 KiB of a connection at once, which may be 2,000 requests.
 */
export const PIPELINED_BYTES = 24 << 10;

/** Answers up to this size are not counted. */
const SMALL_ANSWER_BYTES = 16 << 10;
/** A stream's buffers, before and in Node's response. */
const STREAM_BYTES = 256 << 10;

/**
 * Holds memory for an answer that waits for its client. A client may send any number of requests on one connection and
 * read none of the answers. A request that holds memory already keeps that for its answer: its calls may be made by now,
 * and then nothing may refuse it.
 *
 * @param payload as Fastify sends it: text, bytes or a stream
 * @throws a refusal
 */
export function holdAnswer(budget: Budget, response: ServerResponse, payload: unknown): void {
  if (budget.holdsAnswer(response)) return;
  try {
    if (typeof payload === 'string' || Buffer.isBuffer(payload)) {
      if (payload.length > SMALL_ANSWER_BYTES) budget.hold(response, payload.length);
    } else if (payload) budget.hold(response, STREAM_BYTES);
  } catch (error) {
    // Nothing else closes the file of a stream that is not sent.
    if (payload instanceof Readable) payload.destroy();
    throw error;
  }
}

/**
 * Calls `over` once a response has left or its connection has closed; at once if it has closed already.
 *
 * The event `close` of the response is not enough: a response that is queued behind others (pipelining) does not get it
 * when its connection closes.
 */
function onceOver(response: ServerResponse, over: () => void): void {
  const gone = clientGone(response.req.socket);
  if (gone.aborted) {
    over();
    return;
  }
  function finish(): void {
    response.off('close', finish);
    gone.removeEventListener('abort', finish);
    over();
  }
  response.once('close', finish);
  gone.addEventListener('abort', finish);
}

/** @param most bytes that all requests may hold together */
export function createBudget(most: number): Budget {
  const perResponse = new WeakMap<ServerResponse, number>();
  const forAnswers = new WeakSet<ServerResponse>();
  let held = 0;
  return {
    hold(response, bytes, isForAnswer = true) {
      if (held + bytes > most)
        throw busy('requests and answers hold as much memory as they may: try again later', 'memory');
      held += bytes;
      if (isForAnswer) forAnswers.add(response);
      const before = perResponse.get(response);
      perResponse.set(response, (before ?? 0) + bytes);
      if (before === undefined)
        onceOver(response, () => {
          held -= perResponse.get(response) as number;
          perResponse.delete(response);
        });
    },
    holdsAnswer: (response) => forAnswers.has(response),
  };
}
