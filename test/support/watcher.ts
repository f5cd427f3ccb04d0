// Subscribers of the stream.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { type RawData, WebSocket } from 'ws';

export type Line = {
  type: string;
  seq?: number;
  from?: number;
  to?: number;
  next?: number;
  oldest?: number;
  run?: string;
  detail?: string;
};
export type Watcher = {
  socket: WebSocket;
  lines: Line[];
  until: (enough: (lines: Line[]) => boolean) => Promise<Line[]>;
};

/** Subscribe to the stream, and keep every line. `until` waits until the lines are enough. */
export function watch(t: TestContext, url: string, query = ''): Watcher {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/events${query}`);
  const lines: Line[] = [];
  socket.on('message', (data: RawData) =>
    lines.push(
      ...String(data)
        .split('\n')
        .map((line) => JSON.parse(line)),
    ),
  );
  // ws emits an error for a refused upgrade. Tests check the answer itself.
  socket.on('error', () => {});
  t.after(() => socket.terminate());
  async function until(enough: (lines: Line[]) => boolean): Promise<Line[]> {
    while (!enough(lines)) await once(socket, 'message', { signal: AbortSignal.timeout(10_000) });
    return lines;
  }
  return { socket, lines, until };
}

export const seqs = (lines: Line[]): (number | undefined)[] =>
  lines.filter(({ type }) => type === 'call').map(({ seq }) => seq);

export type Account = { next: number; delivered: number; lost: number; gaps: number };

/** Subscribe to the stream, and count records in `account`. Assert that each line continues after the last one. */
export function subscribe(url: string, account: Account, since?: number): WebSocket {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/events${since ? `?since=${since}` : ''}`);
  socket.on('message', (data: Buffer) => {
    if (socket.readyState !== socket.OPEN) return;
    for (const line of data.toString().split('\n')) {
      const { type, seq, from, to } = JSON.parse(line);
      if (type === 'call') {
        assert.equal(seq, account.next);
        account.next += 1;
        account.delivered += 1;
      } else if (type === 'gap') {
        assert.equal(from, account.next);
        account.next = to + 1;
        account.lost += to - from + 1;
        account.gaps += 1;
      }
    }
  });
  return socket;
}

/** Create an account that begins at record `next`. */
export const fresh = (next: number): Account => ({ next, delivered: 0, lost: 0, gaps: 0 });
