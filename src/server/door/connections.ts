// Connections: a limit on how many are open, so that descriptors are left for the targets and the record file; and a
// signal for each that waits for its end.
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** How many connections above the limit are answered with the reason; further ones are closed without a word. */
const ANSWERED_ABOVE_LIMIT = 100;

/** Descriptors for everything else: targets, the record file, those of Node and of the addon. */
const OTHER_DESCRIPTORS = 100;

export type Connections = {
  /** How many are open. */
  open: () => number;
  /** Whether a connection came when the limit was reached, and it still is. */
  isExcess: (socket: Socket) => boolean;
};

/** How many connections there are descriptors for. Node has raised the soft limit at its start. */
function room(): number {
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
 * @param wanted how many may be open, descriptors permitting; requests on further ones are to be refused
 * @param onDrop called for each that is closed without a word
 */
export function limitConnections(server: Server, wanted: number, onDrop: () => void): Connections {
  const most = Math.min(wanted, room());
  const excess = new WeakSet<Socket>();
  let open = 0;
  server.maxConnections = most + ANSWERED_ABOVE_LIMIT;
  server.on('connection', (socket: Socket) => {
    open += 1;
    if (open > most) {
      excess.add(socket);
      // Close idle keep-alive connections first: their clients reconnect by themselves.
      server.closeIdleConnections();
    }
    socket.once('close', () => {
      open -= 1;
    });
  });
  server.on('drop', onDrop);
  return { open: () => open, isExcess: (socket) => open > most && excess.has(socket) };
}

const signals = new WeakMap<Socket, AbortSignal>();

/**
 * A signal that aborts when a connection closes: its client has left. One for each connection, made when a request on it
 * first waits.
 *
 * The answer's own `close` event would not do: an answer that stands behind others on one connection (pipelining) does
 * not get it.
 */
export function clientGone(socket: Socket): AbortSignal {
  let signal = signals.get(socket);
  if (!signal) {
    const controller = new AbortController();
    signal = controller.signal;
    signals.set(socket, signal);
    // A client may send any number of requests that wait on one connection.
    setMaxListeners(0, signal);
    socket.once('close', () => controller.abort());
  }
  return signal;
}
