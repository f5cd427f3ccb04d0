// The stream of records to WebSocket subscribers. A subscriber is a cursor into the journal, not a queue: a slow one
// costs no memory, and gets the exact numbers of the records that the ring overtook.
import type { WebSocket } from 'ws';
import type { Hello, StreamError } from '../../protocol/records.js';
import { type Cursor, createCursor, type Delivery } from './cursor.js';
import type { Filter, Journal } from './journal.js';

/** The size of one frame, about. */
const FRAME_CHARS = 1 << 16;
/** How much may lie in a socket's buffer before its cursor waits. */
const HIGH_WATER_BYTES = 1 << 17;
/** How long frames are made in a row before the event loop goes on, in ms; calls/time-slice.ts counts on it. */
const STREAM_SLICE_MS = 2;
const HEARTBEAT_MS = 30_000;
/**
 * Heartbeats without a sign of life after which a peer counts as dead. There are so many because a pong may lie behind
 * megabytes in the kernel's buffers, which a slow reader must take first.
 */
const SILENT_BEATS = 10;
/** How long a subscriber has to take the last records of a service that stops. */
const LAST_RECORDS_MS = 300;
/** How long it then has to answer the goodbye. */
const GOODBYE_MS = 300;
/** https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;

/** One start of the service. */
export type ServiceRun = { run: string; pid: number; started: number };

export type Subscription = {
  /** The `seq` to begin with; undefined: the next call's. */
  since: number | undefined;
  /** The run that `since` belongs to, if the client named it. */
  run: string | undefined;
  filter: Filter;
};

export type Stream = {
  subscribers: () => number;
  /** Whether there are as many subscribers as there may be. */
  isFull: () => boolean;
  /** Streams records into a socket until either end closes it. */
  subscribe: (socket: WebSocket, subscription: Subscription) => void;
  /**
   * Ends the stream: no record will follow. Every subscriber gets the rest of the records and then a goodbye. For one
   * that is too slow, the rest is a last gap; one that does not answer the goodbye is cut off.
   */
  stop: () => void;
};

export type StreamOptions = {
  journal: Journal;
  service: ServiceRun;
  maxSubscribers: number;
  /** Counts the records that all subscribers together got. */
  delivery: Delivery;
  /** How often subscribers are pinged, in ms. */
  heartbeatMs?: number;
};

/** Returns the parameter of a subscription that cannot be served, with the reason; null when all can be served. */
export function unservable(
  { since, run }: Subscription,
  journal: Journal,
  service: ServiceRun,
): { pointer: string; detail: string } | null {
  if (run !== undefined && run !== service.run)
    return { pointer: '?run', detail: `run ${run} is over: this is run ${service.run}, whose records begin at 1` };
  if (since !== undefined && since > journal.next())
    return { pointer: '?since', detail: `since is in the future: the next record is ${journal.next()}` };
  return null;
}

type Subscriber = {
  socket: WebSocket;
  cursor: Cursor;
  /** Whether its socket must first take what lies in its buffer. */
  isWaiting: boolean;
  /** Heartbeats since its last pong, and since the last frame that left. */
  silentBeats: number;
};

export function createStream(options: StreamOptions): Stream {
  const { journal, service, maxSubscribers, delivery, heartbeatMs = HEARTBEAT_MS } = options;
  const subscribers = new Set<Subscriber>();
  /** Subscribers that may have records to get. The one that was served longest ago comes first. */
  const ready = new Set<Subscriber>();
  let isScheduled = false;
  let isStopping = false;

  function goodbye({ socket, cursor }: Subscriber): void {
    if (socket.readyState !== socket.OPEN) return;
    const gap = cursor.giveUp();
    if (gap !== null) socket.send(gap);
    socket.close(GOING_AWAY, 'the service is stopping');
  }

  /** @returns whether there are more records to send now */
  function sendFrame(subscriber: Subscriber): boolean {
    const { socket, cursor } = subscriber;
    if (socket.readyState !== socket.OPEN) return false;
    subscriber.isWaiting = socket.bufferedAmount >= HIGH_WATER_BYTES;
    if (subscriber.isWaiting) return false;
    const lines = cursor.read({ chars: FRAME_CHARS });
    if (lines.length > 0) socket.send(lines.join('\n'), () => onSent(subscriber));
    if (cursor.isBehind()) return true;
    if (isStopping) goodbye(subscriber);
    return false;
  }

  /** Called when bytes have left the socket's buffer. */
  function onDrained(subscriber: Subscriber): void {
    if (!subscriber.isWaiting || subscriber.socket.bufferedAmount >= HIGH_WATER_BYTES) return;
    ready.add(subscriber);
    schedule();
  }

  /** Called when a frame has left. */
  function onSent(subscriber: Subscriber): void {
    // A slow reader is not a dead one.
    subscriber.silentBeats = 0;
    onDrained(subscriber);
  }

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      pump();
    });
  }

  /** Sends each ready subscriber a frame, round robin, so that neither many of them nor a fast one delay the others. */
  function pump(): void {
    const start = performance.now();
    for (const subscriber of ready) {
      ready.delete(subscriber);
      // A Set iterates in order of insertion: this loop comes to it again.
      if (sendFrame(subscriber)) ready.add(subscriber);
      if (performance.now() - start >= STREAM_SLICE_MS) break;
    }
    if (ready.size > 0) schedule();
  }

  // Half the ring is new: a subscriber that waits any longer may be overtaken.
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
      const cursor = createCursor(journal, { from: subscription.since ?? next, filter: subscription.filter, delivery });
      const subscriber: Subscriber = { socket, cursor, isWaiting: false, silentBeats: 0 };
      subscribers.add(subscriber);
      socket.once('close', () => {
        subscribers.delete(subscriber);
        ready.delete(subscriber);
      });
      socket.on('pong', () => {
        subscriber.silentBeats = 0;
      });
      // With autoPong, ws would answer every ping, and hold the answers for a client that does not read them.
      socket.on('ping', (data) => {
        if (socket.readyState === socket.OPEN && socket.bufferedAmount < HIGH_WATER_BYTES)
          socket.pong(data, undefined, () => onDrained(subscriber));
      });
      // A client that sends a message does not speak this protocol.
      socket.once('message', () => socket.close(POLICY_VIOLATION, 'this stream takes no messages'));

      socket.send(JSON.stringify({ type: 'hello', ...service, oldest: journal.oldest(), next } satisfies Hello));
      const problem = unservable(subscription, journal, service);
      if (problem) {
        socket.send(JSON.stringify({ type: 'error', detail: problem.detail } satisfies StreamError));
        socket.close(POLICY_VIOLATION, 'see the last frame');
      }
      ready.add(subscriber);
      schedule();
    },

    stop() {
      isStopping = true;
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
