// A bare Fastify route for a POST with a JSON body: it makes no call.
import fastify from 'fastify';
import { served } from './served.mjs';

const app = fastify();
app.post('/write', () => ({ written: 28 }));
await app.listen({ port: 0, host: '127.0.0.1' });
served(app.addresses()[0].port);
