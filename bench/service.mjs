// Runs a built service in a process of its own. bench/http.ts passes the file that exports buildApp.
import { pathToFileURL } from 'node:url';

const { buildApp } = await import(pathToFileURL(process.argv[2]).href);
const app = buildApp({ targets: { nil: '/dev/null' } });
await app.listen({ port: 0, host: '127.0.0.1' });
process.send({ port: app.addresses()[0].port });
process.once('disconnect', () => app.close());
