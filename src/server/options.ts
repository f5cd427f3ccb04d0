// The options of buildApp(). They name nothing of Fastify: see library.ts.
import type { Screen } from './calls/screen.js';

type Log = { (details: object, message?: string): void; (message: string): void };

/** The methods of a pino logger: https://github.com/pinojs/pino/blob/main/docs/api.md#logger-instance */
export type Logger = Record<'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent', Log> & {
  level: string;
  child: (bindings: Record<string, unknown>, options?: object) => Logger;
};

export type AppOptions = {
  /** Further targets besides the built-in ones: name → path. `null` may be given another path too. */
  targets?: Record<string, string>;
  /** True to open the fault targets (default: true on Linux only). */
  faults?: boolean;
  /** Host names that `Host` may have, besides IP addresses and localhost. */
  allowHost?: readonly string[];
  /** The token that `Authorization: Bearer` must carry; undefined: none is needed. */
  token?: string | undefined;
  /** The most records that the service keeps (default 65,536). */
  history?: number;
  /** The most subscribers of the stream at once (default 256). */
  maxSubscribers?: number;
  /** The most writes that may wait for one target (default 100). */
  maxWaiting?: number;
  /** True to make every call under a witness (default: only those that ask for one). */
  witness?: boolean;
  /** A file to append every record to. */
  record?: string | undefined;
  /** The largest body, in bytes (default 4 MiB). */
  bodyLimit?: number;
  /** The most memory that all requests may hold, in bytes (default: a quarter of what there is, 32 to 512 MiB). */
  heldBytes?: number;
  /** Receives a function that writes the last records. Call that function if the process ends without `close`. */
  atExit?: (last: () => void) => void;
  /** Receives a function that opens the record file again, for a rotation of logs. */
  onReopen?: (reopen: () => void) => void;
  /** The terminal of the log, whose lines begin in the first column; undefined if the log goes elsewhere. */
  screen?: Screen | undefined;
  /** A logger with pino's methods; undefined: nothing is logged. */
  logger?: Logger;
};
