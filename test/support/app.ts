// The service in the test's own process, with a file to write to: for tests of its answers.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { type AppOptions, buildApp } from '../../src/server/app.js';
import { tempFolder } from './service.js';

export type TestApp = {
  app: FastifyInstance;
  /** Returns the bytes that arrived at the target `out`. */
  written: () => Buffer;
  /** POSTs to /write, or to another route. */
  post: (
    body: InjectOptions['payload'],
    headers?: Record<string, string>,
    url?: string,
  ) => Promise<LightMyRequestResponse>;
};

/** Builds an app with a file target `out`: stdout is the test runner's. Closes the app when the test ends. */
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

/** Listens on a free port, and returns the address. */
export const listen = (app: FastifyInstance): Promise<string> => app.listen({ port: 0, host: '127.0.0.1' });

/** Waits for one turn of the event loop. A loop around inject() needs it: inject() alone lets nothing else run. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Waits until a condition holds: it is checked once in each turn of the event loop, for longer than any test needs. */
export async function until(isMet: () => boolean | Promise<boolean>): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  while (!(await isMet())) {
    assert.ok(!signal.aborted, `not met within 20 s: ${isMet}`);
    await turn();
  }
}
