// Subscribers of the stream: fast, slow and stalled ones, filtered ones, and some that reconnect. Each keeps account.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Account, Filter } from './accounts.js';
import type { Client } from './client.js';
import type { ClientKind } from './load.js';

const CALL = '{"type":"call","seq":';
/** A subscriber that stays may take so long to read the rest, in ms. */
const CATCH_UP_MS = 30_000;

type Subscription = { socket: WebSocket; account: Account; isOpen: () => boolean };

/** Subscribes, and keeps account of each line. @param last the account of an earlier connection, to continue */
async function subscribe(client: Client, filter: Filter = {}, last?: Account): Promise<Subscription | null> {
  const { url, run, ledger, count, checks } = client;
  const query = new URLSearchParams({ ...filter, ...(last && { since: `${last.next}`, run }) });
  const socket = new WebSocket(`${url.replace('http', 'ws')}/events?${query}`);
  let account: Account | null = last ? { ...last, filter, first: last.next, delivered: 0, sum: 0, gaps: [] } : null;
  let open = true;

  function line(text: string): void {
    if (text.startsWith(CALL)) {
      const seq = Number.parseInt(text.slice(CALL.length, CALL.length + 16), 10);
      const mine = account as Account;
      const continues = Object.keys(filter).length > 0 ? seq >= mine.next : seq === mine.next;
      checks.check(
        'each line of the stream continues where the last one ended',
        continues,
        () => `${mine.next}: ${text}`,
      );
      mine.next = seq + 1;
      mine.delivered += 1;
      mine.sum += seq;
      ledger.compare(seq, text);
      return;
    }
    const { type, from, to, next } = JSON.parse(text);
    if (type === 'hello') account ??= { filter, first: next, next, delivered: 0, sum: 0, gaps: [] };
    else if (type === 'gap') {
      const mine = account as Account;
      checks.check('no gap begins before the last line ended', from >= mine.next, () => `${mine.next}: ${text}`);
      if (Object.keys(filter).length === 0)
        checks.check('a gap without a filter begins where the last line ended', from === mine.next, () => text);
      mine.gaps.push([from, to]);
      mine.next = to + 1;
      count('streamed: records lost in gaps', to - from + 1);
    } else checks.check('a subscriber gets only calls, gaps and an end after its hello', type === 'end', () => text);
  }

  socket.on('message', (data) => {
    // Lines that come after the subscriber has left are in no account.
    if (socket.readyState === socket.OPEN) for (const text of String(data).split('\n')) line(text);
  });
  socket.on('error', () => {});
  socket.once('close', () => {
    open = false;
  });
  const answer = await Promise.race([
    once(socket, 'message').then(() => 101),
    once(socket, 'unexpected-response').then(([, { statusCode }]) => statusCode as number),
  ]);
  count(`subscribed: ${answer}`);
  if (answer === 101) return { socket, account: account as unknown as Account, isOpen: () => open };
  checks.check(
    'a subscriber is accepted, or refused with 503 because there are too many',
    answer === 503,
    () => `${answer}`,
  );
  socket.terminate();
  return null;
}

function leave({ ledger, count }: Client, { socket, account }: Subscription): void {
  socket.terminate();
  count('streamed: records', account.delivered);
  ledger.addAccount(account);
}

/** Makes a subscriber that stays to the end, and must account for every record then. @param each runs until the end */
const stay =
  (each: (client: Client, socket: WebSocket) => Promise<void>): ClientKind['turn'] =>
  async (client) => {
    const subscription = await subscribe(client);
    if (!subscription) return;
    const { socket, account } = subscription;
    while (!client.signal.aborted) await each(client, socket);
    socket.resume();
    const { next } = JSON.parse((await client.ask('GET', '/health'))?.body ?? '{}');
    for (const end = Date.now() + CATCH_UP_MS; account.next < next && Date.now() < end; ) await sleep(50);
    // More records than `next` are possible: a write whose client has left may end after /health has answered.
    client.checks.check(
      'a subscriber that stays to the end accounts for every record',
      account.next >= next && subscription.isOpen(),
      () => `${client.name}: at ${account.next} of ${next}, ${subscription.isOpen() ? 'open' : 'closed'}`,
    );
    leave(client, subscription);
  };

export const SUBSCRIBERS: Record<string, ClientKind> = {
  fast: { clients: 2, restMs: 1000, turn: stay(({ rest }) => rest(1000)) },
  slow: {
    clients: 2,
    restMs: 1000,
    // One frame, then a rest.
    turn: stay(async ({ rest }, socket) => {
      socket.pause();
      await rest(200);
      socket.resume();
      await Promise.race([once(socket, 'message'), rest(200)]);
    }),
  },
  stalled: {
    clients: 2,
    restMs: 1000,
    // One frame a minute. The service drops a subscriber that takes none for five minutes.
    turn: stay(async ({ rest }, socket) => {
      socket.pause();
      await rest(60_000);
      socket.resume();
      await Promise.race([once(socket, 'message'), rest(200)]);
    }),
  },
  reconnecting: {
    clients: 3,
    restMs: 100,
    async turn(client) {
      let last: Account | undefined;
      for (let connections = 0; connections < 5 && !client.signal.aborted; connections++) {
        const subscription = await subscribe(client, {}, last);
        if (subscription) {
          await client.rest(client.random.below(1500));
          last = subscription.account;
          leave(client, subscription);
        }
        await client.rest(client.random.below(1500));
      }
    },
  },
  filtered: {
    clients: 3,
    restMs: 300,
    async turn(client) {
      const { random, levels, faults } = client;
      const filter: Filter = random.one([
        { level: random.one(levels) },
        { target: random.one(['file', 'stuck', ...faults]) },
        { errors: '1' as const },
        { level: random.one(levels), target: 'null' },
        { level: random.one(levels), errors: '1' as const },
      ]);
      const subscription = await subscribe(client, filter);
      if (!subscription) return;
      await client.rest(random.below(5000));
      leave(client, subscription);
    },
  },
  // These subscribers do not even read the answer to their upgrade.
  'never reads': {
    clients: 2,
    restMs: 300,
    async turn({ url, random, rest, count }) {
      const { hostname, port } = new URL(url);
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.pause();
      socket.write(
        'GET /events?since=1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      await rest(2000 + random.below(6000));
      socket.destroy();
      count('subscribers that never read');
    },
  },
};
