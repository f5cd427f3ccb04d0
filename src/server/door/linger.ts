// Lingering close: an answer that is given before the whole body has arrived must reach its client.
//
// A socket that is closed while bytes lie unread in it makes the kernel send a reset, and the client's kernel then drops
// the answer that was not read yet: https://www.rfc-editor.org/rfc/rfc9112#section-9.6. So the service closes its own
// side only, and reads and drops the rest of the body, within bounds.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** The time that the rest of a body may take, and the longest pause of the client. nginx has the same bounds. */
const MOST_MS = 30_000;
const PAUSE_MS = 5000;
/** The most bytes of a body that are read and dropped. */
const MOST_BYTES = 256 << 20;
/** The time between two checks of these bounds. */
const CHECK_MS = 500;
/** A body of which no more than so much can be missing is read to its end, and its connection stays open. */
const SMALL_BYTES = 64 << 10;

const lingering = new WeakSet<Socket>();

/** Returns true if a connection only waits for its client's end: no further request on it can be answered. */
export const isLingering = (socket: Socket): boolean => lingering.has(socket);

/** Closes the service's side of a connection, and the whole of it once the client has sent everything. */
export function linger(socket: Socket): void {
  // There is no `close` to come, which ends the checks.
  if (socket.destroyed) return;
  const start = performance.now();
  const begin = socket.bytesRead;
  let seen = { bytes: begin, at: start };
  lingering.add(socket);
  socket.end();
  const check = setInterval(() => {
    const now = performance.now();
    if (socket.bytesRead > seen.bytes) seen = { bytes: socket.bytesRead, at: now };
    if (now - start > MOST_MS || now - seen.at > PAUSE_MS || seen.bytes - begin > MOST_BYTES) socket.destroy();
  }, CHECK_MS);
  socket.once('end', () => socket.destroy());
  socket.once('close', () => clearInterval(check));
}

/** Returns true if a large part of a request's body has not arrived. */
export function isBodyMissing({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > SMALL_BYTES;
}

/** Makes Node's own close of the connection, after an answer with `Connection: close`, a lingering one. */
export function lingerAtClose(request: IncomingMessage): void {
  const { socket } = request;
  socket.destroySoon = () => {
    linger(socket);
    request.once('end', () => socket.destroy());
    request.resume();
  };
}
