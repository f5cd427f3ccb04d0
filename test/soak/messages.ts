// Random messages from a seed. A message is a slice of one of two pools, so its bytes need not be kept: they can be cut
// from the pool again at any time.
import type { BurstRequest, WriteRequest } from '../../src/protocol/calls.js';
import type { LevelId } from '../../src/protocol/names.js';

export type Random = {
  /** Returns a whole number from 0 to `below` - 1. */
  below: (below: number) => number;
  one: <T>(of: readonly T[]) => T;
};

/** mulberry32: small, fast, and even enough. https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function below(most: number): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * most);
  }
  return { below, one: (of) => of[below(of.length)] as (typeof of)[number] };
}

export type Message = {
  level: LevelId;
  target: string;
  timeoutMs: number;
  isText: boolean;
  witness: boolean;
  /** Its place in the pool, in bytes or characters. */
  at: number;
  length: number;
};

const MOST = 200_000;
const POOL = 1 << 20;
/** Characters that JSON escapes, that a preview escapes, and that take one, two and three bytes in UTF-8. */
const CHARACTERS = [...'abcdefghij0123456789 .,"\\\n\r\t\x1b\x7f\x00éßж世界'];

const filling = createRandom(1);
const bytes = Buffer.from(Uint8Array.from({ length: POOL }, () => filling.below(256)));
const text = Array.from({ length: POOL }, () => filling.one(CHARACTERS)).join('');

/** Messages that wait are at least so long: else the ledger could take the next message's record for one of theirs. */
const LEAST_THAT_WAITS = 16;

/** Makes a message of up to `most` bytes or characters. As many have 10 to 100 as have 10,000 to 100,000. */
export function messageOf(
  random: Random,
  level: LevelId,
  target: string,
  { most = MOST, timeoutMs = 0 }: { most?: number; timeoutMs?: number } = {},
): Message {
  const any = Math.floor((most + 1) ** (random.below(1000) / 999)) - 1;
  const length = timeoutMs > 0 ? Math.max(any, LEAST_THAT_WAITS) : any;
  const [isText, witness] = [random.below(2) === 0, random.below(3) === 0];
  return { level, target, timeoutMs, isText, witness, at: random.below(POOL - MOST), length };
}

const sliceOf = ({ isText, at, length }: Message): string | Buffer =>
  isText ? text.slice(at, at + length) : bytes.subarray(at, at + length);

export function bytesOf(message: Message): Buffer {
  const slice = sliceOf(message);
  return typeof slice === 'string' ? Buffer.from(slice) : slice;
}

function fieldsOf(message: Message): Pick<BurstRequest, 'level' | 'target' | 'msg' | 'encoding' | 'witness'> {
  const { level, target, witness } = message;
  const slice = sliceOf(message);
  return typeof slice === 'string'
    ? { level, target, msg: slice, encoding: 'utf8', witness }
    : { level, target, msg: slice.toString('base64'), encoding: 'base64', witness };
}

export const writeOf = (message: Message): WriteRequest => ({ ...fieldsOf(message), timeoutMs: message.timeoutMs });

export const burstOf = (message: Message, count: number, ratePerSecond?: number): BurstRequest => ({
  ...fieldsOf(message),
  count,
  ...(ratePerSecond !== undefined && { ratePerSecond }),
});
