// A view of the next items of a stream, so that a stream of any length is compared in little memory.

export type LookAhead<T> = {
  /** The number of items at hand. */
  size: () => number;
  /** Returns the item `index` places from here, if it is at hand. */
  at: (index: number) => T | undefined;
  /** Reads on until `count` items are at hand or the stream has ended. */
  fill: (count: number) => Promise<void>;
  /** Are the items at hand the last ones? */
  isLast: () => boolean;
  /** Takes `count` items off the front. */
  drop: (count: number) => void;
  /** The number of items that were dropped since the start. */
  position: () => number;
};

export function lookAhead<T>(batches: AsyncIterator<T[]>): LookAhead<T> {
  let items: T[] = [];
  let head = 0;
  let droppedBefore = 0;
  let hasEnded = false;
  const size = (): number => items.length - head;
  return {
    size,
    at: (index) => items[head + index],
    async fill(count) {
      while (!hasEnded && size() < count) {
        const next = await batches.next();
        if (next.done) {
          hasEnded = true;
          return;
        }
        items = items.slice(head);
        droppedBefore += head;
        head = 0;
        for (const item of next.value) items.push(item);
      }
    },
    isLast: () => hasEnded,
    drop(count) {
      head += count;
    },
    position: () => droppedBefore + head,
  };
}
