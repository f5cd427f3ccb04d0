// buildApp(): puts the service together. It opens targets and routes, but does not listen.
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import websocket from '@fastify/websocket';
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { LEVEL_IDS } from '../protocol/names.js';
import { levels } from '../syscalls/index.js';
import type { Target } from '../syscalls/targets/target.js';
import { answerError, answerUnknown, busy, type Refusal, refusal } from './answers/problem.js';
import { serializerCompiler } from './answers/serialize.js';
import { createBurst } from './calls/burst.js';
import { createCaller } from './calls/call.js';
import { openTargets } from './calls/targets.js';
import { createWriter } from './calls/write.js';
import { asyncApi } from './documents/asyncapi.js';
import { addOpenApi } from './documents/openapi.js';
import { limitConnections } from './door/connections.js';
import { createGuard, tokenCheck } from './door/guard.js';
import { parseJson } from './door/parse-json.js';
import { createWire } from './door/protocol-errors.js';
import { createSessions } from './door/sessions.js';
import { createLasting } from './lifecycle/tasks.js';
import { createCounts } from './metrics/counters.js';
import { createMetrics } from './metrics/prometheus.js';
import { createJournal } from './records/journal.js';
import { openRecord, recordTo } from './records/record-file.js';
import { createStream } from './records/stream.js';
import { addRoutes } from './routes/http.js';
import { addDocs, addPage } from './routes/page.js';

export type AppOptions = {
  /** Targets besides `stdout` and `stderr`: name → path. */
  targets?: Record<string, string>;
  /** Whether there are fault targets (on Linux by default). */
  faults?: boolean;
  /** Names besides IP addresses and localhost that `Host` may give. */
  allowHost?: readonly string[];
  /** What `Authorization: Bearer` must carry; none: nothing. */
  token?: string | undefined;
  /** How many records are kept (65,536). */
  history?: number;
  /** How many may be subscribed to the stream at once (256). */
  maxSubscribers?: number;
  /** How many requests may wait for one target (100). */
  maxWaiting?: number;
  /** A file to append every record to. */
  record?: string | undefined;
  /** The largest body, in bytes (4 MiB). */
  bodyLimit?: number;
  /** Takes what to call as the process ends, should `close` not have been called: it writes the last records. */
  atExit?: (last: () => void) => void;
  /** A pino logger; none: nothing is logged. */
  logger?: FastifyBaseLogger;
};

export const DEFAULTS = {
  history: 65_536,
  maxSubscribers: 256,
  maxWaiting: 100,
  bodyLimit: 4 << 20,
  faults: process.platform === 'linux',
};
/** Connections besides those of subscribers: many more than a machine's own clients open. */
const MAX_CONNECTIONS = 1000;
/** How long a stop lets waiting writes and bursts go on, so that all is over in 5 s. */
const STOP_GRACE_MS = 3500;
/** How long answers may take to leave once nothing waits; a connection that sent no whole request has nothing to wait for. */
const LINGER_MS = 300;
/** How long a request may take to arrive, headers and body: 4 MiB at 70 kB a second, and no longer for who sends nothing. */
const REQUEST_TIMEOUT_MS = 60_000;
/** How late that may be noticed; Node's own 30 s make a minute one and a half. */
const REQUEST_CHECK_MS = 5000;
/** The longest query there is, and a browser's cookies for all of this host's ports, fit many times over; Node's own limit. */
const MAX_HEADER_BYTES = 16 << 10;

const REQUEST_ID = /^[\w.-]{1,64}$/;

/** What every answer to a request that could be read has. Nothing of it may be framed: clicks on /docs make calls. */
function addHeaders({ id }: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', id).header('x-frame-options', 'DENY');
}

/**
 * The service, ready for `listen` or `inject`. `close` ends it: waiting writes get 3.5 s, subscribers their last
 * records and a 1001, and every descriptor is put back as it was.
 *
 * @throws an error with `code` when a target or the record file cannot be opened, or a name is taken
 */
export function buildApp(options: AppOptions = {}): FastifyInstance {
  const record = options.record === undefined ? undefined : openRecord(options.record);
  let targets: Target[];
  try {
    targets = openTargets(options.targets ?? {}, options.faults ?? DEFAULTS.faults);
  } catch (error) {
    record?.close();
    throw error;
  }
  const counts = createCounts(LEVEL_IDS.length, targets.length);
  const deliveries = { stream: { delivered: 0, lost: 0 }, file: { delivered: 0, lost: 0 } };
  const journal = createJournal({ capacity: options.history ?? DEFAULTS.history, levels: LEVEL_IDS, targets });
  const caller = createCaller({ levels, targets, journal, counts });
  const lasting = createLasting();
  const writer = createWriter({
    caller,
    lasting,
    targets,
    maxWaiting: options.maxWaiting ?? DEFAULTS.maxWaiting,
    counts,
  });
  const burst = createBurst({ caller, lasting });
  const isToken = options.token === undefined ? null : tokenCheck(options.token);
  const { isLoggedIn, addRoutes: addLogin } = createSessions(isToken ?? (() => true), lasting);
  const guard = createGuard({ allowHost: options.allowHost ?? [], isToken, isLoggedIn });
  const service = { run: randomUUID().slice(0, 8), pid: process.pid, started: Date.now() };
  const maxSubscribers = options.maxSubscribers ?? DEFAULTS.maxSubscribers;
  const stream = createStream({ journal, service, maxSubscribers, delivery: deliveries.stream });

  let requests = 0;
  let stopping = false;

  function requestId({ headers }: { headers: IncomingHttpHeaders }): string {
    const given = headers['x-request-id'];
    return typeof given === 'string' && REQUEST_ID.test(given) ? given : `${service.run}-${++requests}`;
  }

  const wire = createWire(counts);
  const app: FastifyInstance = fastify({
    ...(options.logger && { loggerInstance: options.logger }),
    // The records are the log of requests.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyLimit ?? DEFAULTS.bodyLimit,
    // This, and that Host is missing, is said as a problem below.
    return503OnClosing: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false,
      connectionsCheckingInterval: REQUEST_CHECK_MS,
    },
    genReqId: requestId,
    frameworkErrors: (error, request, reply) => {
      // It came too early for any hook.
      addHeaders(request, reply);
      counts.answer(error.statusCode ?? 500, request.method);
      answerError(error, request, reply, counts);
    },
    clientErrorHandler: wire.onClientError,
  });
  const connections = limitConnections(app.server, MAX_CONNECTIONS + maxSubscribers, () => counts.limit('connections'));
  // By default Node leaves out those behind the 2000th, Origin with them; their size has its limit.
  app.server.maxHeadersCount = 0;
  app.server.on('checkExpectation', wire.onExpectation);
  app.server.on('connect', wire.onConnect);
  app.server.on('upgrade', wire.onUpgrade);
  app.setErrorHandler((error: FastifyError | Refusal, request, reply) => answerError(error, request, reply, counts));
  app.setNotFoundHandler((request) => answerUnknown(app, request));
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, parseJson);

  // Before the guard: a refused upgrade is answered through the hooks that this adds, and with them
  // its socket is closed; the other way round it stays open and holds up close().
  app.register(websocket, {
    options: { server: wire.upgrades, maxPayload: 1024, handleProtocols: () => false, autoPong: false },
    // ws has closed the connection with the code that says why.
    errorHandler: (error, _socket, request) => request.log.debug({ err: error }, 'subscriber'),
    preClose: stop,
  });
  app.addHook('onRequest', (request, reply, done) => {
    addHeaders(request, reply);
    if (connections.isExcess(request.raw.socket)) {
      reply.header('connection', 'close');
      throw busy('there are as many connections as there may be: close some, or try again later', 'connections');
    }
    guard(request);
    if (stopping) throw busy('the service is stopping');
    // An upgrade takes the connection from Node's parser: what is not WebSocket cannot be served any more.
    const { upgrade } = request.headers;
    const isWebSocket = upgrade?.toLowerCase() === 'websocket' && request.raw.httpVersion === '1.1';
    if (request.ws && (request.routeOptions.url !== '/events' || !isWebSocket))
      throw refusal(
        400,
        `upgrade to '${upgrade}' is not offered here: leave out the Upgrade header; WebSocket is at /events, over HTTP/1.1`,
      );
    done();
  });

  // Once it has left. An answer is made for who is gone or was refused on the wire, too, and made anew when a file cannot
  // be opened.
  app.addHook('onResponse', (request, reply, done) => {
    counts.answer(reply.statusCode, request.method, request.routeOptions.url);
    done();
  });

  app.addHook('onSend', (_request, reply, payload, done) => {
    // Kept alive after its answer, a connection would hold up close().
    if (stopping) reply.header('connection', 'close');
    done(null, payload);
  });

  addOpenApi(app);
  app.register(addDocs);
  app.register(addPage);
  app.after(() => {
    app.websocketServer.on('wsClientError', wire.onHandshakeError);
    addRoutes(app, {
      levels,
      targets,
      journal,
      writer,
      burst,
      stream,
      service,
      needsToken: isToken !== null,
      counts,
      metrics: createMetrics({
        counts,
        targets,
        connections: connections.open,
        subscribers: stream.subscribers,
        waiting: writer.waiting,
        deliveries,
      }),
    });
    addLogin(app);
    app.get('/openapi.yaml', { schema: { hide: true } }, (_request, reply) => {
      reply.type('application/yaml; charset=utf-8').send(app.swagger({ yaml: true }));
    });
    app.get('/asyncapi.yaml', { schema: { hide: true } }, (_request, reply) => {
      reply.type('application/yaml; charset=utf-8').send(asyncApi());
    });
  });

  const timers: NodeJS.Timeout[] = [];
  let ended = Promise.resolve();
  function stop(done: () => void): void {
    stopping = true;
    timers.push(setTimeout(lasting.stop, STOP_GRACE_MS));
    ended = lasting.settled().then(async () => {
      // No call from here on: a request whose body arrives only now is refused. So subscribers can be told of all calls.
      caller.end();
      lasting.stop();
      await lasting.settled();
      stream.stop();
      timers.push(setTimeout(() => app.server.closeAllConnections(), LINGER_MS));
    });
    done();
  }

  let stopRecording = (): void => {};
  if (record) {
    stopRecording = recordTo(record, journal, deliveries.file, (error) => {
      if (error) app.log.error({ err: error, file: options.record }, 'the record file takes nothing: records wait');
      else app.log.info({ file: options.record }, 'the record file takes records again');
    });
    options.atExit?.(stopRecording);
  }
  app.addHook('onClose', async () => {
    // A write that came by inject() has no connection that close() would have waited for.
    caller.end();
    await ended;
    for (const timer of timers) clearTimeout(timer);
    stopRecording();
    for (const target of targets) target.close();
  });
  return app;
}
