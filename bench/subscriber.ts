// A fast subscriber in a process of its own: it counts delivered and lost records, and parses only the gaps.
import { WebSocket } from 'ws';

const socket = new WebSocket(process.argv[2] as string);
let delivered = 0;
let lost = 0;

socket.on('message', (data: Buffer) => {
  for (let at = 0; at >= 0; ) {
    const end = data.indexOf('\n', at);
    if (data.indexOf('{"type":"call"', at) === at) delivered += 1;
    else {
      const { type, from, to } = JSON.parse(data.toString('utf8', at, end < 0 ? undefined : end));
      if (type === 'gap') lost += to - from + 1;
    }
    at = end < 0 ? -1 : end + 1;
  }
  process.send?.({ delivered, lost });
});
process.once('disconnect', () => socket.terminate());
