// Subscribers of one service: `subscriber.mjs URL COUNT`. They count records and parse only the gaps. Each line is answered
// with `DELIVERED LOST` of all of them together, once every one has seen the record whose number the line has.
import { WebSocket } from 'ws';
import { served } from './served.mjs';

const [, , url, count] = process.argv;
const GAP = '{"type":"gap"';
let delivered = 0;
let lost = 0;
let waiting = null;

const subscribers = Array.from({ length: Number(count) }, () => ({ socket: new WebSocket(url), seen: 0 }));
for (const subscriber of subscribers) {
  subscriber.socket.on('message', (data) => {
    for (let at = 0; at >= 0; ) {
      const end = data.indexOf('\n', at);
      if (data.indexOf('{"type":"call"', at) === at) {
        delivered += 1;
        subscriber.seen += 1;
      } else if (data.indexOf(GAP, at) === at) {
        const { from, to } = JSON.parse(data.toString('utf8', at, end < 0 ? undefined : end));
        lost += to - from + 1;
        subscriber.seen += to - from + 1;
      }
      at = end < 0 ? -1 : end + 1;
    }
    waiting?.();
  });
}
await Promise.all(subscribers.map(({ socket }) => new Promise((resolve) => socket.once('open', resolve))));

served(subscribers.length, async (line) => {
  const all = Number(line);
  await new Promise((resolve) => {
    waiting = () => {
      if (subscribers.every(({ seen }) => seen >= all)) resolve();
    };
    waiting();
  });
  return `${delivered} ${lost}`;
});
