// GET /events over WebSocket. A subscriber is a cursor into the journal, not a queue: a slow one
// costs no memory, and is told with exact numbers what the ring overtook.
import type { WebSocket } from 'ws';
import type { Hello, StreamError } from '../../protocol/records.js';
import type { FieldError } from '../answers/problem.js';
import { type Cursor, createCursor, type Delivery, type Filter, type Journal } from './journal.js';

/** One frame's size, about, and how much may lie in a socket's buffer before its cursor waits. */
const FRAME_CHARS = 1 << 16;
const HIGH_WATER_BYTES = 1 << 17;
/** How long frames are made in a row before others have their turn of the event loop, in ms; see turn.ts. */
const SLICE_MS = 2;
const HEARTBEAT_MS = 30_000;
/**
 * Heartbeats without a sign of life after which a peer is dead. So many, since an answer may lie behind megabytes
 * in the kernel's buffers, which a slow reader must take first.
 */
const SILENT_BEATS = 10;
/** How long a subscriber has to take the last records of a service that stops, and then to answer its goodbye. */
const LAST_RECORDS_MS = 300;
const GOODBYE_MS = 300;
/** https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const GOING_AWAY = 1001;
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

export type Stream = {
  /** How many subscribers there are. */
  subscribers: () => number;
  /** Whether there are as many as there may be. */
  isFull: () => boolean;
  /** Streams records into a socket until either end closes it. */
  subscribe: (socket: WebSocket, subscription: Subscription) => void;
  /**
   * No record will follow: says goodbye to every subscriber once it was told of all of them. The rest of one that is
   * too slow for that is a last gap; one that does not answer is cut off.
   */
  stop: () => void;
};

export type StreamOptions = {
  journal: Journal;
  service: Run;
  maxSubscribers: number;
  /** Where what all subscribers are given is counted. */
  delivery: Delivery;
  /** How often a sign of life is asked for, in ms. */
  heartbeatMs?: number;
};

/** Which of a subscription's parameters cannot be served, and why, in words for the client; null when all can. */
export function sinceProblem({ since, run }: Subscription, journal: Journal, service: Run): FieldError | null {
  if (run !== undefined && run !== service.run)
    return { pointer: '?run', detail: `run ${run} is over: this is run ${service.run}, whose records begin at 1` };
  if (since !== undefined && since > journal.next())
    return { pointer: '?since', detail: `since is in the future: the next record is ${journal.next()}` };
  return null;
}

type Subscriber = {
  socket: WebSocket;
  cursor: Cursor;
  /** Whether its socket must first take what it was given. */
  waits: boolean;
  /** Heartbeats since a pong came from it, or a frame went to it. */
  silentBeats: number;
};

export function createStream(options: StreamOptions): Stream {
  const { journal, service, maxSubscribers, delivery, heartbeatMs = HEARTBEAT_MS } = options;
  const subscribers = new Set<Subscriber>();
  /** Those that may have something to be sent, whose turn was longest ago first. */
  const ready = new Set<Subscriber>();
  let scheduled = false;
  let stopping = false;

  function goodbye({ socket, cursor }: Subscriber): void {
    if (socket.readyState !== socket.OPEN) return;
    const gap = cursor.giveUp();
    if (gap !== '') socket.send(gap);
    socket.close(GOING_AWAY, 'the service is stopping');
  }

  /** @returns whether there is more to send at once */
  function sendFrame(subscriber: Subscriber): boolean {
    const { socket, cursor } = subscriber;
    if (socket.readyState !== socket.OPEN) return false;
    subscriber.waits = socket.bufferedAmount >= HIGH_WATER_BYTES;
    if (subscriber.waits) return false;
    const lines = cursor.read(FRAME_CHARS);
    if (lines !== '') socket.send(lines, () => sent(subscriber));
    if (cursor.isBehind()) return true;
    if (stopping) goodbye(subscriber);
    return false;
  }

  /** Something has left, and there may be room for the next frame. */
  function drained(subscriber: Subscriber): void {
    if (!subscriber.waits || subscriber.socket.bufferedAmount >= HIGH_WATER_BYTES) return;
    ready.add(subscriber);
    schedule();
  }

  /** A frame has left: what is slow is not dead. */
  function sent(subscriber: Subscriber): void {
    subscriber.silentBeats = 0;
    drained(subscriber);
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      pump();
    });
  }

  /** A frame each, in turns, so that neither many subscribers nor a fast one hold up everybody else. */
  function pump(): void {
    const start = performance.now();
    for (const subscriber of ready) {
      ready.delete(subscriber);
      // At the end of the set, which this loop goes on to.
      if (sendFrame(subscriber)) ready.add(subscriber);
      if (performance.now() - start >= SLICE_MS) break;
    }
    if (ready.size > 0) schedule();
  }

  // Urgent when half the ring is new: who waits another turn may be overtaken.
  const unwatch = journal.watch(
    (urgent) => {
      for (const subscriber of subscribers) ready.add(subscriber);
      if (urgent) pump();
      else schedule();
    },
    Math.max(1, journal.capacity >> 1),
  );

  const heart = setInterval(() => {
    for (const subscriber of subscribers) {
      if (++subscriber.silentBeats > SILENT_BEATS) subscriber.socket.terminate();
      else subscriber.socket.ping();
    }
  }, heartbeatMs);
  heart.unref();

  return {
    subscribers: () => subscribers.size,
    isFull: () => subscribers.size >= maxSubscribers,

    subscribe(socket, subscription) {
      const next = journal.next();
      const cursor = createCursor(journal, subscription.since ?? next, delivery, subscription.filter);
      const subscriber: Subscriber = { socket, cursor, waits: false, silentBeats: 0 };
      subscribers.add(subscriber);
      socket.once('close', () => {
        subscribers.delete(subscriber);
        ready.delete(subscriber);
      });
      socket.on('pong', () => {
        subscriber.silentBeats = 0;
      });
      // ws by itself would answer each ping, and keep the answers for who does not read them.
      socket.on('ping', (data) => {
        if (socket.readyState === socket.OPEN && socket.bufferedAmount < HIGH_WATER_BYTES)
          socket.pong(data, undefined, () => drained(subscriber));
      });
      // Nothing is expected from the client: who sends is not speaking this protocol.
      socket.once('message', () => socket.close(POLICY_VIOLATION, 'this stream takes no messages'));

      socket.send(JSON.stringify({ type: 'hello', ...service, oldest: journal.oldest(), next } satisfies Hello));
      const problem = sinceProblem(subscription, journal, service);
      if (problem) {
        socket.send(JSON.stringify({ type: 'error', detail: problem.detail } satisfies StreamError));
        socket.close(POLICY_VIOLATION, 'see the last frame');
      }
      ready.add(subscriber);
      schedule();
    },

    stop() {
      stopping = true;
      clearInterval(heart);
      unwatch();
      for (const subscriber of subscribers) {
        const { socket } = subscriber;
        const timers = [
          setTimeout(goodbye, LAST_RECORDS_MS, subscriber),
          setTimeout(() => socket.terminate(), LAST_RECORDS_MS + GOODBYE_MS),
        ];
        socket.once('close', () => timers.forEach(clearTimeout));
        ready.add(subscriber);
      }
      schedule();
    },
  };
}
