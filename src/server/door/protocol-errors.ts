// Errors below Fastify: what never becomes a request of its own is refused on the connection, with a complete answer.
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionError } from 'fastify';
import { PROBLEM_TYPE, problem } from '../answers/problem.js';
import type { Counters } from '../metrics/counters.js';
import type { Limit } from '../refusal.js';
import { linger } from './linger.js';

const CLIENT_ERRORS: Record<string, { status: number; detail: string; limit: Limit }> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    detail: 'the headers are too large: send fewer or shorter ones',
    limit: 'headers',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    detail: 'the request did not arrive in time: send it faster',
    limit: 'time',
  },
};

/** The answer that a connection's client waits for; Node keeps it in a field that has no public name. */
const answeringOn = (socket: Socket): ServerResponse | undefined =>
  (socket as Socket & { _httpMessage?: ServerResponse })._httpMessage;

export type ProtocolErrors = {
  /** Answers what Node's parser refuses before a request is complete: https://nodejs.org/api/http.html#event-clienterror */
  onClientError: (error: ConnectionError, socket: Socket) => void;
  /** Node alone would close without an answer, and it leaves the socket's errors to us: https://nodejs.org/api/http.html#event-connect */
  onConnect: (request: IncomingMessage, socket: Socket) => void;
  /** Node's own 417 has no body: https://nodejs.org/api/http.html#event-checkexpectation */
  onExpectation: (request: IncomingMessage, response: ServerResponse) => void;
  /** Refuses an upgrade behind requests that have no answer yet, since it cannot have the connection. */
  onUpgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void;
  /** Emits `upgrade` for all the others: the server that ws listens to. */
  upgrades: Server;
  /** Answers a handshake that ws refuses. */
  onHandshakeError: (error: Error, socket: Socket) => void;
};

export function createProtocolErrors(counters: Counters): ProtocolErrors {
  /** Connections whose refusal is sent or waits for earlier answers: the parser emits the error again for each chunk. */
  const refused = new WeakSet<Socket>();
  const upgrades = createServer();

  /** @param isSending whether the client may still be sending */
  function refuse(
    socket: Socket,
    status: number,
    detail: string,
    { isSending = false, headers = {} }: { isSending?: boolean; headers?: Record<string, string> } = {},
  ): void {
    counters.answer(status);
    const body = JSON.stringify(problem(status, detail));
    const fields = {
      'Content-Type': PROBLEM_TYPE,
      'Content-Length': Buffer.byteLength(body),
      Connection: 'close',
      ...headers,
    };
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    const answer = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`;
    if (!isSending) {
      socket.end(answer, () => socket.destroy());
      return;
    }
    socket.write(answer);
    linger(socket);
  }

  /** Refuses the last thing that a connection sent, once every complete request before it has its answer. */
  function refuseAfterEarlierAnswers(socket: Socket, status: number, detail: string, isSending = false): void {
    const answering = answeringOn(socket);
    if (!socket.writable) return;
    if (answering?.req.complete)
      answering.once('finish', () => refuseAfterEarlierAnswers(socket, status, detail, isSending));
    // The request was answered before all of it had arrived.
    else if (answering?.headersSent) answering.once('finish', () => socket.end());
    // There is no request, or one whose rest never comes: nothing else answers it.
    else refuse(socket, status, detail, { isSending });
  }

  return {
    onClientError(error, socket) {
      if (error.code === 'ECONNRESET' || !socket.writable) {
        socket.destroy();
        return;
      }
      if (refused.has(socket)) return;
      refused.add(socket);
      const known = CLIENT_ERRORS[error.code];
      if (known) counters.limit(known.limit);
      refuseAfterEarlierAnswers(
        socket,
        known?.status ?? 400,
        known?.detail ?? `this is not HTTP/1.1: ${error.message}`,
        known?.limit !== 'time',
      );
    },

    onConnect(_request, socket) {
      socket.on('error', () => socket.destroy());
      refuseAfterEarlierAnswers(socket, 501, 'this is no proxy: CONNECT is not offered');
    },

    onExpectation({ headers, method }, response) {
      counters.answer(417, method);
      const detail = `Expect: ${headers.expect} cannot be met: leave it out, or send 100-continue`;
      const body = JSON.stringify(problem(417, detail));
      response.writeHead(417, { 'content-type': PROBLEM_TYPE, 'content-length': Buffer.byteLength(body) }).end(body);
    },

    upgrades,
    onUpgrade(request, socket, head) {
      if (answeringOn(socket)) {
        socket.on('error', () => socket.destroy());
        refuseAfterEarlierAnswers(
          socket,
          400,
          'an upgrade cannot stand behind other requests: send it on a connection of its own',
        );
        return;
      }
      upgrades.emit('upgrade', request, socket, head);
      // An upgrade that Fastify refuses for its URL, before any hook: @fastify/websocket would leave the socket open.
      answeringOn(socket)?.once('finish', () => socket.destroySoon());
    },

    onHandshakeError(error, socket) {
      refuse(socket, 400, error.message, { headers: { 'Sec-WebSocket-Version': '13, 8' } });
    },
  };
}
