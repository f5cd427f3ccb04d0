// A bare Fastify route for a POST with a JSON body. bench/http.ts compares the service with it.
import fastify from 'fastify';

const app = fastify();
app.post('/write', () => ({ written: 28 }));
await app.listen({ port: 0, host: '127.0.0.1' });
process.send({ port: app.addresses()[0].port });
process.once('disconnect', () => app.close());
