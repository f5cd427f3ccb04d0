// The library's entry point: import { buildApp } from 'syswire'. Fastify is inside the package, so the types name nothing
// of it: a program that imports them needs neither Fastify's types nor Node's.
import { buildApp as build } from './app.js';
import type { AppOptions } from './options.js';

export type { AppOptions, Logger } from './options.js';

/** A request for `inject`. */
export type InjectedRequest = {
  /** Default: GET. */
  method?: 'GET' | 'HEAD' | 'POST' | 'OPTIONS';
  url: string;
  headers?: Record<string, string>;
  /** Text, or an object, which is sent as JSON. */
  payload?: string | object;
};

/** The answer to such a request. */
export type InjectedAnswer = {
  statusCode: number;
  headers: Record<string, number | string | string[] | undefined>;
  body: string;
  /** Parses the body. */
  json: <T = unknown>() => T;
};

export type App = {
  /** Listens, on a free port of localhost by default. @returns the address */
  listen: (options?: { host?: string; port?: number }) => Promise<string>;
  /** Makes a request without a connection. */
  inject: (request: string | InjectedRequest) => Promise<InjectedAnswer>;
  /** Stops the service: waiting writes end, subscribers get the last records, targets and files are closed. */
  close: () => Promise<undefined>;
};

/**
 * Builds the service, ready for `listen` or `inject`.
 *
 * @throws an error with `code` when a target or the record file cannot be opened; an error when two targets have the
 *   same name
 */
export const buildApp: (options?: AppOptions) => App = build;
