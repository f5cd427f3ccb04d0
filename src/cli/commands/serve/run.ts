// Runs the service: starts it, and stops it at a signal or an uncaught error.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { buildApp } from '../../../server/app.js';
import { openScreen } from '../../../server/calls/screen.js';
import { addon } from '../../../syscalls/bindings/addon.js';
import { witnessAvailability } from '../../../syscalls/index.js';
import { hasColours } from '../../colours.js';
import { type Cli, UsageError, type Values } from '../../command.js';
import { type Config, type FLAGS, readConfig, VARIABLES } from '../../config.js';
import { checkEnvironment } from '../../environment.js';
import { openLog } from '../../log.js';

/** The descriptor of the log. */
const STDERR = 2;

const url = (at: AddressInfo | string): string => {
  if (typeof at === 'string') return at;
  const { address, family, port } = at;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
};

/** The remedy for a file that cannot be opened, by the error's code. */
const REMEDIES: Readonly<Record<string, (file: string) => string>> = {
  ENOENT: (file) => `make the folder ${path.dirname(file)}, or choose another path`,
  ENOTDIR: () => 'choose another path',
  EISDIR: () => 'give a file in it',
  EACCES: () => 'choose a path that this user may write to',
  EROFS: () => 'choose a path on a disk that can be written to',
};

/** Describe a file that cannot be opened, with the flag that names it; null if the error is about none. */
function openError({ code = '', path: file, message }: NodeJS.ErrnoException, config: Config): string | null {
  if (file === undefined) return null;
  const [name] = Object.entries(config.targets).find(([, at]) => at === file) ?? [];
  const flag = name === undefined ? (file === config.record ? `--record ${file}` : null) : `--target ${name}=${file}`;
  if (flag === null) return null;
  const remedy = REMEDIES[code]?.(file);
  // Node's message goes on with the system call and the path.
  return `${flag}: ${remedy === undefined ? message : `${message.split(',', 1)[0]}: ${remedy}`}`;
}

/** Describe an error at start in one line that says what to do. */
function startError(error: NodeJS.ErrnoException, config: Config): string {
  const { host, port } = config;
  if (error.code === 'EADDRINUSE')
    return `port ${port} on ${host} is in use: choose another with --port (0 picks a free one)`;
  if (error.code === 'EACCES' && error.syscall === 'listen')
    return `port ${port} needs privileges: choose one above 1023 with --port`;
  if (error.code === 'EADDRNOTAVAIL')
    return `address ${host} does not belong to this machine: choose another with --host`;
  if (error.syscall === 'getaddrinfo')
    return `host ${host} has no known address (${error.code}): choose another with --host`;
  return openError(error, config) ?? error.message;
}

/** Return the format of the log's lines; undefined leaves them JSON. */
async function formatOf(
  { logFormat }: Config,
  isTerminal: boolean,
  env: NodeJS.ProcessEnv,
): Promise<((line: string) => string) | undefined> {
  if (logFormat === 'json' || (logFormat === 'auto' && !isTerminal)) return undefined;
  return (await import('../../log-line.js')).lineFormat(hasColours(STDERR, env));
}

/** Run the service until a signal comes. @returns the exit code */
export async function runService(cli: Cli, values: Values<typeof FLAGS>): Promise<number> {
  const { env, note, fail, untilSignal, atExit, onReopen, onUncaught } = cli;
  const { env: settings, warnings } = checkEnvironment(env, VARIABLES);
  let config: Config;
  try {
    config = readConfig(values, settings);
  } catch (error) {
    // A mistyped variable may be the reason.
    for (const warning of warnings) note(`syswire: ${warning}`);
    throw error;
  }
  const { reason } = config.witness ? witnessAvailability() : { reason: null };
  if (reason !== null) {
    const source = values.witness ? '--witness' : `SYSWIRE_WITNESS=${settings.SYSWIRE_WITNESS}`;
    throw new UsageError(`${source} is not available here: ${reason}`);
  }
  const { host, port, logLevel, logFormat: _, ...options } = config;
  const signal = untilSignal();
  const screen = openScreen(STDERR);
  const logger = openLog(logLevel, { format: await formatOf(config, screen !== undefined, env), screen });
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
    app = buildApp({ ...options, logger, screen, atExit, onReopen });
    // Hide Fastify's own line, which has the address inside its text. The line below has it in a field.
    app.log.level = 'silent';
    // For `localhost` Fastify opens a second server, on the other address family, without our limits.
    await app.listen({ host: host === 'localhost' ? '127.0.0.1' : host, port });
    app.log.level = logLevel;
  } catch (error) {
    await app?.close();
    return fail(1, startError(error as NodeJS.ErrnoException, config));
  }
  for (const address of app.addresses()) app.log.info({ address: url(address) }, 'listening');

  if (!signal.aborted) await once(signal, 'abort');
  // The terminal shows ^C where the cursor is.
  if (screen && signal.reason === 'SIGINT') screen.isMidLine = true;
  app.log.info('stopping');
  await app.close();
  return 0;
}
