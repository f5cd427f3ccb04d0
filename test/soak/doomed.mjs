// A client process for the soak to kill: it subscribes, and sends requests that may wait. The requests come on stdin as
// [path, id, body].
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';

const [url] = process.argv.slice(2);
const socket = new WebSocket(`${url.replace('http', 'ws')}/events?since=1`);
socket.on('error', () => {});
const requests = JSON.parse(await text(process.stdin));
for (const [path, id, body] of requests)
  fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id },
    body: JSON.stringify(body),
  }).catch(() => {});
