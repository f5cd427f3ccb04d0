// syswire [serve]: starts the service, and stops it at a signal or an uncaught error.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buildApp } from '../../server/app.js';
import { addon } from '../../syscalls/bindings/addon.js';
import type { Command } from '../command.js';
import { type Config, FLAG_HELP, readConfig, VARIABLES } from '../config.js';
import { checkEnvironment } from '../environment.js';
import { openLog } from '../log.js';

const url = (at: AddressInfo | string): string => {
  if (typeof at === 'string') return at;
  const { address, family, port } = at;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
};

/** Describe an error at start in one line that says what to do. */
function startError(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === 'EADDRINUSE')
    return `port ${port} on ${host} is in use: choose another with --port (0 picks a free one)`;
  if (error.code === 'EACCES' && error.syscall === 'listen')
    return `port ${port} needs privileges: choose one above 1023 with --port`;
  if (error.code === 'EADDRNOTAVAIL')
    return `address ${host} does not belong to this machine: choose another with --host`;
  if (error.syscall === 'getaddrinfo')
    return `host ${host} has no known address (${error.code}): choose another with --host`;
  return error.message;
}

const HELP = `syswire [serve] [flags]: serve the write system call over HTTP, at the level you pick

${FLAG_HELP}

Each flag has an environment variable: --log-level is SYSWIRE_LOG_LEVEL, --no-faults is
SYSWIRE_FAULTS=false. The variable of a repeatable flag takes one value per line. The log warns about
SYSWIRE_ variables that it does not know, and about a SYSWIRE_PORT that Kubernetes set, tcp://...

SIGTERM, SIGINT or SIGHUP stops the service within 5 s; waiting writes get 3.5 s of them. A second signal
ends it at once. nohup does not keep it from SIGHUP: use setsid, tmux, systemd-run or a container.
SIGUSR1 opens the file of --record again, after a rotation.

exit: 0 a signal stopped it, 1 it could not start, or failed, 2 wrong usage

The other commands, each with its own --help:
  syswire write LEVEL MSG            ask a running service for one write
  syswire burst LEVEL MSG            ask it for many calls, and show how long they took
  syswire watch                      show every call that it makes
  syswire call LEVEL MSG             make one call in this process, without a service
  syswire probe CASE --level LEVEL   make one write with hostile arguments, in a child process
  syswire reconcile TRACE RECORDS    compare a tracer's trace with the records`;

/** Run the service until a signal comes. */
export const serve: Command = async ({ args, env, print, note, fail, untilSignal, atExit, onReopen, onUncaught }) => {
  if (args.includes('--help') || args.includes('-h')) {
    print(HELP);
    return 0;
  }
  const { env: settings, warnings } = checkEnvironment(env, VARIABLES);
  let config: Config;
  try {
    config = readConfig(args, settings);
  } catch (error) {
    // A mistyped variable may be the reason.
    for (const warning of warnings) note(`syswire: ${warning}`);
    throw error;
  }
  const { host, port, logLevel, ...options } = config;
  const signal = untilSignal();
  const logger = openLog(logLevel);
  for (const warning of warnings) logger.warn(warning);
  // Windows has no addon, which is no fault.
  if (typeof addon === 'string' && process.platform !== 'win32')
    logger.warn(`levels raw, int80 and uring are not available: ${addon}`);
  onUncaught((error) => {
    const message = 'the service stops after an internal error';
    // The level is still `silent` if the service fails while it starts.
    logger.level = logLevel;
    if (logLevel === 'silent') fail(1, `${message}: ${error instanceof Error ? error.message : error}`);
    else logger.fatal({ err: error }, message);
  });

  let app: ReturnType<typeof buildApp> | undefined;
  try {
    app = buildApp({ ...options, logger, atExit, onReopen });
    // Hide Fastify's own line, which has the address inside its text. The line below has it in a field.
    app.log.level = 'silent';
    // For `localhost` Fastify opens a second server, on the other address family, without our limits.
    await app.listen({ host: host === 'localhost' ? '127.0.0.1' : host, port });
    app.log.level = logLevel;
  } catch (error) {
    await app?.close();
    return fail(1, startError(error as NodeJS.ErrnoException, host, port));
  }
  for (const address of app.addresses()) app.log.info({ address: url(address) }, 'listening');

  if (!signal.aborted) await once(signal, 'abort');
  app.log.info('stopping');
  await app.close();
  return 0;
};
