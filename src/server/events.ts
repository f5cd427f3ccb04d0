// GET /events over WebSocket. A subscriber is a cursor into the journal, not a queue: a slow one
// costs no memory, and is told with exact numbers what the ring overtook.
import type { WebSocket } from 'ws';
import { createCursor, type Filter, type Journal } from './journal.js';

/** One frame's size, about, and how much may lie in a socket's buffer before the cursor waits. */
const FRAME_CHARS = 1 << 16;
const HIGH_WATER_BYTES = 1 << 18;
const HEARTBEAT_MS = 30_000;
/** Policy violation: https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const POLICY_VIOLATION = 1008;

/** What names this start of the service. */
export type Run = { run: string; pid: number; started: number };

export type Subscription = {
  /** Where to begin; none: with what is still to come. */
  since: number | undefined;
  /** The run that `since` belongs to, if the client said so. */
  run: string | undefined;
  filter: Filter;
};

/** Why `since` cannot be served, in words for the client; null when it can. */
export function sinceProblem({ since, run }: Subscription, journal: Journal, service: Run): string | null {
  if (run !== undefined && run !== service.run)
    return `run ${run} is over: this is run ${service.run}, whose records begin at 1`;
  if (since !== undefined && since > journal.next())
    return `since is in the future: the next record is ${journal.next()}`;
  return null;
}

/** Streams records into a socket until either end closes it. */
export function subscribe(socket: WebSocket, subscription: Subscription, journal: Journal, service: Run): void {
  const next = journal.next();
  socket.send(JSON.stringify({ type: 'hello', ...service, oldest: journal.oldest(), next }));

  // Nothing is expected from the client: who sends is not speaking this protocol.
  socket.once('message', () => socket.close(POLICY_VIOLATION, 'this stream takes no messages'));

  const detail = sinceProblem(subscription, journal, service);
  if (detail !== null) {
    socket.send(JSON.stringify({ type: 'error', detail }));
    socket.close(POLICY_VIOLATION, 'see the last frame');
    return;
  }

  const cursor = createCursor(journal, subscription.since ?? next, subscription.filter);
  function pump(): void {
    while (socket.readyState === socket.OPEN && socket.bufferedAmount < HIGH_WATER_BYTES) {
      const lines = cursor.read(FRAME_CHARS);
      if (lines === '') return;
      socket.send(lines, pump);
    }
  }
  socket.once('close', journal.watch(pump));
  pump();
}

/**
 * Pings every subscriber now and then, and drops those that did not answer the last ping.
 *
 * @returns what ends it
 */
export function heartbeat(sockets: ReadonlySet<WebSocket>): () => void {
  const silent = new WeakSet<WebSocket>();
  const timer = setInterval(() => {
    for (const socket of sockets) {
      if (silent.has(socket)) {
        socket.terminate();
        continue;
      }
      silent.add(socket);
      socket.once('pong', () => silent.delete(socket));
      socket.ping();
    }
  }, HEARTBEAT_MS);
  timer.unref();
  return () => clearInterval(timer);
}
