// Limits the number of open connections, so that descriptors are left for the targets and the record file. Also makes
// the signals that abort when a client leaves.
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** The connections above the limit that get a 503 with the reason. Node closes further ones without an answer. */
const ANSWERED_ABOVE_LIMIT = 100;

/** The descriptors to keep free for targets, the record file, Node and the addon. */
const OTHER_DESCRIPTORS = 100;

export type Connections = {
  /** The most connections that are served at once. */
  limit: number;
  /** Returns the number of open connections. */
  open: () => number;
  /** Returns true for a connection that was opened above the limit, while the limit is still exceeded. */
  isExcess: (socket: Socket) => boolean;
};

/** Returns the number of connections for which there are descriptors. Node raises the soft limit at its start. */
function maxByDescriptors(): number {
  try {
    const [, descriptors] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return descriptors === undefined
      ? Infinity
      : Math.max(1, Number(descriptors) - OTHER_DESCRIPTORS - ANSWERED_ABOVE_LIMIT);
  } catch {
    return Infinity; // not Linux
  }
}

/**
 * Limits a server's connections.
 *
 * @param wanted the most connections to serve; the limit is lower if there are not enough descriptors
 * @param onDrop called for each connection that is closed without an answer
 */
export function limitConnections(server: Server, wanted: number, onDrop: () => void): Connections {
  const limit = Math.min(wanted, maxByDescriptors());
  const excess = new WeakSet<Socket>();
  let open = 0;
  server.maxConnections = limit + ANSWERED_ABOVE_LIMIT;
  server.on('connection', (socket: Socket) => {
    open += 1;
    if (open > limit) {
      excess.add(socket);
      // Close idle keep-alive connections first: their clients reconnect by themselves.
      server.closeIdleConnections();
    }
    socket.once('close', () => {
      open -= 1;
    });
  });
  server.on('drop', onDrop);
  return { limit, open: () => open, isExcess: (socket) => open > limit && excess.has(socket) };
}

const signals = new WeakMap<Socket, AbortSignal>();

/**
 * Returns the signal that aborts when a connection closes, which means that its client has left. A connection has one
 * signal, which is made when a request on it waits for the first time.
 *
 * Do not use the answer's `close` event: with pipelining, an answer that is queued behind others does not get it.
 */
export function clientGone(socket: Socket): AbortSignal {
  let signal = signals.get(socket);
  if (!signal) {
    const controller = new AbortController();
    signal = controller.signal;
    signals.set(socket, signal);
    // With pipelining, any number of waiting requests on one connection listen to this signal.
    setMaxListeners(0, signal);
    socket.once('close', () => controller.abort());
  }
  return signal;
}
