// The same write with Deno.serve: no checks, no record.
import { served } from './served.mjs';

const file = Deno.openSync('/dev/null', { write: true });
const encoder = new TextEncoder();
const server = Deno.serve({ port: 0, hostname: '127.0.0.1', onListen() {} }, async (request) => {
  const { msg } = await request.json();
  return Response.json({ written: file.writeSync(encoder.encode(msg)) });
});
served(server.addr.port);
