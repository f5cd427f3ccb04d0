// A built service: `service.mjs FILE [OPTIONS]`, where FILE exports buildApp, and OPTIONS are its options as JSON. The line
// `delay` is answered with the longest time that the event loop was held since the last such line, in ms.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { served } from './served.mjs';

const [, , file, options = '{}'] = process.argv;
const { buildApp } = await import(pathToFileURL(file).href);
const app = buildApp({ targets: { nil: '/dev/null' }, ...JSON.parse(options) });
await app.listen({ port: 0, host: '127.0.0.1' });

const delay = monitorEventLoopDelay({ resolution: 1 });
served(app.addresses()[0].port, async (line) => {
  if (line === 'memory') return process.memoryUsage.rss();
  const longest = delay.max / 1e6;
  delay.reset();
  delay.enable();
  return longest;
});
