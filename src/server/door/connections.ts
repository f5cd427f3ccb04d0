// How many may be connected at once, so that nobody uses up the descriptors, which targets and the journal need too.
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** So many above the limit are let in to be told why; what comes after them is closed without a word. */
const TOLD = 100;

/** What else may be open: targets, the record file, what Node and the addon have. */
const OTHERS = 100;

export type Connections = {
  /** How many are open. */
  open: () => number;
  /** Whether a connection came when there were as many as may be, and there still are. */
  isExcess: (socket: Socket) => boolean;
};

/** How many connections there are descriptors for; Node has raised the soft limit at its start. */
function room(): number {
  try {
    const [, descriptors] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return descriptors === undefined ? Infinity : Math.max(1, Number(descriptors) - OTHERS - TOLD);
  } catch {
    return Infinity; // no Linux
  }
}

/**
 * Limits a server's connections.
 *
 * @param wanted how many may be open, descriptors permitting; requests on further ones are to be refused
 * @param onDrop told of each that is closed without a word
 */
export function limitConnections(server: Server, wanted: number, onDrop: () => void): Connections {
  const most = Math.min(wanted, room());
  const excess = new WeakSet<Socket>();
  let open = 0;
  server.maxConnections = most + TOLD;
  server.on('connection', (socket: Socket) => {
    open += 1;
    if (open > most) {
      excess.add(socket);
      // Who idles between two requests goes first: clients take it up again when they want to.
      server.closeIdleConnections();
    }
    socket.once('close', () => {
      open -= 1;
    });
  });
  server.on('drop', onDrop);
  return { open: () => open, isExcess: (socket) => open > most && excess.has(socket) };
}
