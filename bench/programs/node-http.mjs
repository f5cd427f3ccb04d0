// The same write with node:http alone: no checks, no record.
import { openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { served } from './served.mjs';

const fd = openSync('/dev/null', 'w');
const server = createServer((request, response) => {
  const chunks = [];
  request
    .on('data', (chunk) => chunks.push(chunk))
    .on('end', () => {
      const { msg } = JSON.parse(Buffer.concat(chunks).toString());
      const body = JSON.stringify({ written: writeSync(fd, Buffer.from(msg)) });
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
    });
});
server.listen(0, '127.0.0.1', () => served(server.address().port));
