// The stream of records to WebSocket subscribers. A subscriber is a cursor in the journal, not a queue. So a slow one
// costs no memory, and receives the exact range of the records that the ring has overwritten.
import type { WebSocket } from 'ws';
import { quote } from '../../protocol/quote.js';
import type { StreamError } from '../../protocol/records.js';
import { type Cursor, createCursor, type Delivery } from './cursor.js';
import type { Filter, Journal } from './journal.js';
import { endLine, helloLine, type ServiceRun } from './run.js';

/** The approximate size of one frame, in characters. */
const FRAME_CHARS = 1 << 16;
/** The bytes in a socket's buffer from which on its subscriber waits. */
const HIGH_WATER_BYTES = 1 << 17;
/** The longest time for which frames are made before the event loop goes on, in ms. See also calls/time-slice.ts. */
const STREAM_SLICE_MS = 2;
/**
 * The frames of one turn that are sent at once however long they take: on a busy machine a few of them may take longer
 * than the slice, and a subscriber that keeps up must not miss records for that.
 */
const MIN_URGENT_FRAMES = 256;
const HEARTBEAT_MS = 30_000;
/**
 * The heartbeats without a sign of life after which a subscriber is cut off. There are many, because the ping may lie
 * behind megabytes in the kernel's buffers, which a slow subscriber must read first.
 */
const SILENT_BEATS = 10;
/** The time that a subscriber has to take the last records when the service stops, in ms. */
const LAST_RECORDS_MS = 300;
/** The time that it then has to answer the close frame, in ms. */
const GOODBYE_MS = 300;
/** https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;

export type Subscription = {
  /** The `seq` to begin with; undefined: that of the next call. */
  since: number | undefined;
  /** The run that `since` belongs to, if the client sent it. */
  run: string | undefined;
  filter: Filter;
};

export type Stream = {
  /** The most subscribers at once. */
  limit: number;
  /** Returns the number of subscribers. */
  subscribers: () => number;
  /** Returns true if the limit is reached. */
  isFull: () => boolean;
  /** Streams records into a socket until either end closes it. */
  subscribe: (socket: WebSocket, subscription: Subscription) => void;
  /**
   * Ends the stream. Call it when no more records follow. Every subscriber receives the rest of the records and a close
   * frame. A subscriber that is too slow receives a last gap instead. One that does not answer the close frame is cut.
   */
  stop: () => void;
};

export type StreamOptions = {
  journal: Journal;
  service: ServiceRun;
  maxSubscribers: number;
  /** The counts to add to, for all subscribers together. */
  delivery: Delivery;
  /** The time between two pings, in ms. */
  heartbeatMs?: number;
};

/** Returns the parameter of a subscription that cannot be served, with the reason; null if all can be served. */
export function unservable(
  { since, run }: Subscription,
  journal: Journal,
  service: ServiceRun,
): { pointer: string; detail: string } | null {
  if (run !== undefined && run !== service.run)
    return { pointer: '?run', detail: `run ${quote(run)} is over: use run=${service.run} and since=1` };
  if (since !== undefined && since > journal.next())
    return {
      pointer: '?since',
      detail: `since=${since} is in the future: use ${journal.next()}, the next record, or less`,
    };
  return null;
}

type Subscriber = {
  socket: WebSocket;
  cursor: Cursor;
  /** True while the socket's buffer is too full for another frame. */
  isWaiting: boolean;
  /** The heartbeats since the last pong, and since the last frame that left. */
  silentBeats: number;
};

export function createStream(options: StreamOptions): Stream {
  const { journal, service, maxSubscribers, delivery, heartbeatMs = HEARTBEAT_MS } = options;
  const subscribers = new Set<Subscriber>();
  /** Subscribers that may have records to receive. The one that was served longest ago comes first. */
  const ready = new Set<Subscriber>();
  let isScheduled = false;
  let isStopping = false;

  function goodbye({ socket, cursor }: Subscriber): void {
    if (socket.readyState !== socket.OPEN) return;
    const gap = cursor.giveUp();
    if (gap !== null) socket.send(gap);
    socket.send(endLine(service, journal));
    socket.close(GOING_AWAY, 'the service is stopping');
  }

  /** Sends the next records as one frame. @returns true if there are more records to send now */
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

  /** Makes a waiting subscriber ready when enough bytes have left its socket's buffer. */
  function onDrained(subscriber: Subscriber): void {
    if (!subscriber.isWaiting || subscriber.socket.bufferedAmount >= HIGH_WATER_BYTES) return;
    ready.add(subscriber);
    schedule();
  }

  function onSent(subscriber: Subscriber): void {
    // A slow subscriber takes frames, and so it is not dead, even if its pong is late.
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

  /** Sends frames to the ready subscribers in turn, one each, so that a fast subscriber does not delay the others. */
  function pump(): number {
    const start = performance.now();
    let frames = 0;
    for (const subscriber of ready) {
      ready.delete(subscriber);
      frames += 1;
      // A Set iterates in the order of insertion, so this loop visits the subscriber again, after all others.
      if (sendFrame(subscriber)) ready.add(subscriber);
      if (performance.now() - start >= STREAM_SLICE_MS) break;
    }
    if (ready.size > 0) schedule();
    return frames;
  }

  /** The time that urgent frames took since the event loop last went on, in ms. */
  let urgentMs = 0;
  let urgentFrames = 0;

  /**
   * Sends frames at once, for STREAM_SLICE_MS in each turn of the event loop. With a small ring and many subscribers
   * every call would otherwise wait for a frame to each. What the ring overwrites then becomes a gap.
   */
  function pumpUrgently(): void {
    if (urgentMs === 0)
      setImmediate(() => {
        urgentMs = 0;
        urgentFrames = 0;
      });
    const start = performance.now();
    const frames = pump();
    urgentMs += performance.now() - start;
    urgentFrames += frames;
  }

  // When half the ring is new, frames are sent at once, before the ring overwrites records that were not sent.
  const unwatch = journal.watch(
    (urgent) => {
      if (urgent && urgentMs >= STREAM_SLICE_MS && urgentFrames >= MIN_URGENT_FRAMES) return;
      for (const subscriber of subscribers) ready.add(subscriber);
      if (urgent) pumpUrgently();
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
    limit: maxSubscribers,
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
      // Not with ws's autoPong, which keeps a pong for every ping in memory if the client does not read them.
      socket.on('ping', (data) => {
        if (socket.readyState === socket.OPEN && socket.bufferedAmount < HIGH_WATER_BYTES)
          socket.pong(data, undefined, () => onDrained(subscriber));
      });
      socket.once('message', () => socket.close(POLICY_VIOLATION, 'this stream does not accept messages'));

      socket.send(helloLine(service, journal));
      const problem = unservable(subscription, journal, service);
      if (problem) {
        socket.send(JSON.stringify({ type: 'error', detail: problem.detail } satisfies StreamError));
        socket.close(POLICY_VIOLATION, 'the last frame has the reason');
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
