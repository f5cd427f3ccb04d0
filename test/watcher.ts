// A subscriber of the stream, for tests.
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

/** A subscriber that keeps every line it gets. */
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
  // A refused upgrade is an error of the socket too; the tests look at the answer.
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
