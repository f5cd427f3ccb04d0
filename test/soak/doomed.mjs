// A client in a process of its own, to be killed: a subscriber who reads, and requests that may wait. They come
// on stdin as [path, id, body].
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
