// One client, with its own connection and random numbers. It reports its requests and their answers to the ledger.
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LevelId } from '../../src/protocol/names.js';
import type { Checks } from './checks.js';
import type { Kind, Ledger } from './ledger.js';
import { type Message, messageOf, type Random } from './messages.js';

/** The facts and tools that all clients share. */
export type World = {
  url: string;
  run: string;
  levels: readonly LevelId[];
  /** The fault targets that are available. */
  faults: readonly string[];
  checks: Checks;
  ledger: Ledger;
  /** Adds `times` to the counter of that name. */
  count: (what: string, times?: number) => void;
};

export type Answer = { status: number; body: string };

export type Client = World & {
  name: string;
  random: Random;
  /** Aborts when the load is to end. */
  signal: AbortSignal;
  /** Returns a new request id. */
  newId: () => string;
  /** Sends a request on the client's connection. @returns null if the client left after `leaveMs`, before the answer */
  ask: (method: string, path: string, options?: AskOptions) => Promise<Answer | null>;
  /** Sends messages, and reports the request and its answer to the ledger. @returns null if the client left */
  send: (kind: Kind, messages: Message[], body: object, leaveMs?: number) => Promise<Answer | null>;
  message: (targets: readonly string[], options?: Parameters<typeof messageOf>[3]) => Message;
  rest: (ms: number) => Promise<void>;
  /** Closes the client's connection. */
  close: () => void;
};

export type AskOptions = { headers?: Record<string, string>; body?: string | Buffer; leaveMs?: number };

let ids = 0;

export function createClient(world: World, name: string, random: Random, signal: AbortSignal): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { url, ledger, count } = world;
  const newId = (): string => `${name.replaceAll(/\W/g, '-')}-${++ids}`;

  async function ask(method: string, path: string, options: AskOptions = {}): Promise<Answer | null> {
    const { headers = {}, body, leaveMs } = options;
    const asking = request(url + path, { method, agent, headers });
    let left = false;
    const leaving =
      leaveMs === undefined
        ? undefined
        : setTimeout(() => {
            left = true;
            asking.destroy();
          }, leaveMs);
    try {
      return await new Promise<Answer>((resolve, reject) => {
        asking.once('error', reject);
        asking.once('response', (answer) =>
          text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject),
        );
        asking.end(body);
      });
    } catch (error) {
      if (left) return null;
      throw error;
    } finally {
      clearTimeout(leaving);
    }
  }

  return {
    ...world,
    name,
    random,
    signal,
    newId,
    ask,
    async send(kind, messages, body, leaveMs) {
      const id = newId();
      ledger.expect(id, kind, messages);
      const answer = await ask('POST', `/${kind}`, {
        headers: { 'content-type': 'application/json', 'x-request-id': id },
        body: JSON.stringify(body),
        ...(leaveMs !== undefined && { leaveMs }),
      });
      count(answer ? `POST /${kind}: ${answer.status}` : `POST /${kind}: the client left`);
      if (answer === null) ledger.markGone(id);
      else if (answer.status === 200) ledger.addAnswer(id, JSON.parse(answer.body));
      else ledger.markRefused(id);
      return answer;
    },
    message: (targets, options) => messageOf(random, random.one(world.levels), random.one(targets), options),
    rest: (ms) => sleep(ms, undefined, { signal }).catch(() => {}),
    close: () => agent.destroy(),
  };
}
