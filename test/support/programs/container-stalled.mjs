// Runs inside the container: subscribes to the stream, prints `watching` and then never reads again.
import { connect } from 'node:net';

const socket = connect(process.env.SYSWIRE_PORT || 8080, '127.0.0.1');
socket.write(
  `GET /events?since=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${process.env.SYSWIRE_TOKEN}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
);
socket.once('data', (chunk) => {
  socket.pause();
  console.log(String(chunk).startsWith('HTTP/1.1 101') ? 'watching' : String(chunk));
});
socket.once('close', () => process.exit());
