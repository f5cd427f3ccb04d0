// The service in this process, for tests of its answers, with a file to write to.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { type AppOptions, buildApp } from '../../src/server/app.js';
import { tempFolder } from './service.js';

export type TestApp = {
  app: FastifyInstance;
  /** What arrived at the target `out`. */
  written: () => Buffer;
  /** POSTs to /write, or to another route. */
  post: (
    body: InjectOptions['payload'],
    headers?: Record<string, string>,
    url?: string,
  ) => Promise<LightMyRequestResponse>;
};

/** An app with a file target `out`, closed when the test ends. stdout is the test runner's: write to `out`. */
export function testApp(t: TestContext, options: AppOptions = {}): TestApp {
  const out = path.join(tempFolder(t), 'out');
  const app = buildApp({ ...options, targets: { out, ...options.targets } });
  t.after(() => app.close());
  return {
    app,
    written: () => readFileSync(out),
    post: (payload, headers = {}, url = '/write') =>
      app.inject({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json', ...headers },
        payload: payload ?? '',
      }),
  };
}

/** The address of an app that listens on a free port. */
export const listen = (app: FastifyInstance): Promise<string> => app.listen({ port: 0, host: '127.0.0.1' });

/** One turn of the event loop: inject() by itself needs none, and would keep everything else waiting. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
