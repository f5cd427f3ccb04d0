// Limits the number of open connections, so that descriptors are left for the targets and the record file. Also makes
// the signals that abort when a client leaves.
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The most connections above the limit that get a 503 with the reason. Node closes further ones without an answer. */
const MAX_ANSWERED_ABOVE_LIMIT = 100;

/** The descriptors to keep free for targets, the record file, Node and the addon. */
const OTHER_DESCRIPTORS = 100;

export type Connections = {
  /** The most connections that are served at once. */
  limit: number;
  /** Returns the number of open connections. */
  open: () => number;
  /** Returns true for a connection that was opened above the limit, while the limit is still exceeded. */
  isExcess: (socket: Socket) => boolean;
  /** Notes that a request came on a connection. @returns the number of requests there that have no answer yet */
  onRequest: (socket: Socket, response: ServerResponse) => number;
  /** Notes that a request on a connection got its answer. */
  onAnswered: (socket: Socket, response: ServerResponse) => void;
  /**
   * Closes all connections, also those that Node's closeAllConnections() leaves open: an upgrade and CONNECT take a
   * connection from the list of the server, whether they are accepted or refused.
   */
  cut: () => void;
};

/** Returns the number of descriptors for connections. Node raises the soft limit at its start. */
function maxDescriptors(): number {
  try {
    const [, descriptors] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return descriptors === undefined ? Infinity : Math.max(2, Number(descriptors) - OTHER_DESCRIPTORS);
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
  const descriptors = maxDescriptors();
  const answeredAboveLimit = Math.min(MAX_ANSWERED_ABOVE_LIMIT, Math.floor(descriptors / 2));
  const limit = Math.min(wanted, descriptors - answeredAboveLimit);
  const excess = new WeakSet<Socket>();
  /** The open connections, each with its responses that are not answered; null: it has sent no request yet. */
  const open = new Map<Socket, Set<ServerResponse> | null>();
  server.maxConnections = limit + answeredAboveLimit;
  server.on('connection', (socket: Socket) => {
    // A connection comes again after an upgrade that is ignored: upgrades.ts.
    if (open.has(socket)) return;
    open.set(socket, null);
    if (open.size > limit) {
      excess.add(socket);
      // Close idle keep-alive connections first: their clients reconnect by themselves. Node's closeIdleConnections()
      // does not fit: since Node 26 it also closes connections that have sent nothing yet, this one included.
      for (const [idle, responses] of open) if (responses?.size === 0) idle.destroy();
    }
    socket.once('close', () => {
      const responses = open.get(socket) ?? [];
      open.delete(socket);
      // Node does not tell the responses that are queued behind others, and what they hold would stay: memory, files.
      for (const response of responses) if (!response.socket) response.emit('close');
    });
  });
  server.on('drop', onDrop);
  return {
    limit,
    open: () => open.size,
    isExcess: (socket) => open.size > limit && excess.has(socket),
    onRequest(socket, response) {
      let responses = open.get(socket);
      // Not for inject(), whose sockets are no connections.
      if (responses === undefined) return 1;
      if (responses === null) {
        responses = new Set();
        open.set(socket, responses);
      }
      responses.add(response);
      return responses.size;
    },
    onAnswered: (socket, response) => void open.get(socket)?.delete(response),
    cut() {
      for (const socket of open.keys()) socket.destroy();
    },
  };
}

/** Tells Node's parser to go on behind a request as for an upgrade: what it has read there is dropped. */
const NO_MORE_REQUESTS = 2;

/**
 * Ignores what comes on a connection from now on, also the requests that Node has read already: each would need memory,
 * even if it were refused. Node's parser has the function that gets a request in a private field only.
 */
export function ignoreFurtherRequests(socket: Socket): void {
  const { parser } = socket as Socket & { parser?: { onIncoming: () => number } | null };
  if (parser) parser.onIncoming = () => NO_MORE_REQUESTS;
}

const signals = new WeakMap<Socket, AbortSignal>();

/**
 * Returns the signal that aborts when a connection closes, which means that its client has left. A connection has one
 * signal, which is made when a request on it waits for the first time.
 *
 * Do not use the answer's `close` event: it also comes when the answer has left.
 */
export function clientGone(socket: Socket): AbortSignal {
  let signal = signals.get(socket);
  if (!signal) {
    const controller = new AbortController();
    signal = controller.signal;
    signals.set(socket, signal);
    // With pipelining, any number of waiting requests on one connection listen to this signal.
    setMaxListeners(0, signal);
    if (socket.destroyed) controller.abort();
    else socket.once('close', () => controller.abort());
  }
  return signal;
}
