// The same write with Bun.serve: no checks, no record.
import { openSync, writeSync } from 'node:fs';
import { served } from './served.mjs';

const fd = openSync('/dev/null', 'w');
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  async fetch(request) {
    const { msg } = await request.json();
    return Response.json({ written: writeSync(fd, Buffer.from(msg)) });
  },
});
served(server.port);
