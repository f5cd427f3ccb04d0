// syswire [serve]: the service, from its flags to its last breath.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buildApp } from '../../server/app.js';
import type { Command } from '../command.js';
import { FLAG_HELP, readConfig } from '../config.js';
import { openLog } from '../log.js';

const url = (at: AddressInfo | string): string => {
  if (typeof at === 'string') return at;
  const { address, family, port } = at;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
};

/** What went wrong at start, in one line that says what to do. */
function startError(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === 'EADDRINUSE')
    return `port ${port} on ${host} is in use: choose another with --port (0 picks a free one)`;
  if (error.code === 'EACCES' && error.syscall === 'listen')
    return `port ${port} needs privileges: choose one above 1023 with --port`;
  return error.message;
}

const HELP = `syswire [serve] [flags]: the write system call over HTTP, at the level you pick

${FLAG_HELP}

Each flag is an environment variable too: --log-level is SYSWIRE_LOG_LEVEL, --no-faults is
SYSWIRE_FAULTS=false; a repeatable one takes one value a line. The service stops at SIGTERM, SIGINT
or SIGHUP, within 5 s, of which waiting writes get 3.5; a second signal ends it at once.

exit: 0 stopped, 1 could not start, or failed, 2 usage

The other verbs, each with a --help of its own:
  syswire write LEVEL MSG            asks a running service for a write
  syswire burst LEVEL MSG            asks it for many, and shows what they cost
  syswire watch                      shows every call it makes
  syswire call LEVEL MSG             one call, here and now
  syswire probe CASE --level LEVEL   one call with hostile arguments, in a child process
  syswire reconcile TRACE RECORDS    holds a tracer's trace against the records`;

/** Runs until a signal. */
export const serve: Command = async ({ args, env, print, fail, untilSignal, atExit, onUncaught }) => {
  if (args.includes('--help') || args.includes('-h')) {
    print(HELP);
    return 0;
  }
  const { host, port, logLevel, ...options } = readConfig(args, env);
  const signal = untilSignal();
  const logger = openLog(logLevel);
  onUncaught((error) => {
    const what = 'the service made a mistake, and ends';
    // While it starts, the log is silent.
    logger.level = logLevel;
    if (logLevel === 'silent') fail(1, `${what}: ${error instanceof Error ? error.message : error}`);
    else logger.fatal({ err: error }, what);
  });

  let app: ReturnType<typeof buildApp> | undefined;
  try {
    app = buildApp({ ...options, logger, atExit });
    // Fastify's own line has the address inside its text; ours has it as a field.
    app.log.level = 'silent';
    // For this name Fastify would open a second server, on the other family's address, that has none of our limits.
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
