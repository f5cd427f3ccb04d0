// How many may be connected at once, so that nobody uses up the descriptors, which targets and the journal need too.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** So many above the limit are let in to be told why; what comes after them is closed without a word. */
const TOLD = 100;

export type Connections = {
  /** How many are open. */
  open: () => number;
  /** Whether a connection came when there were as many as may be. */
  isExcess: (socket: Socket) => boolean;
};

/**
 * @param most how many may be open; requests on further ones are to be refused
 * @param onDrop told of each that is closed without a word
 */
export function countConnections(server: Server, most: number, onDrop: () => void): Connections {
  const excess = new WeakSet<Socket>();
  let open = 0;
  server.maxConnections = most + TOLD;
  server.on('connection', (socket: Socket) => {
    open += 1;
    if (open > most) excess.add(socket);
    socket.once('close', () => {
      open -= 1;
    });
  });
  server.on('drop', onDrop);
  return { open: () => open, isExcess: (socket) => excess.has(socket) };
}
