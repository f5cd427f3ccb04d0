// A compact list with one number for each record: an hour of load makes tens of millions of records.

export type Column = { at: (index: number) => number; set: (index: number, value: number) => void };

/** Creates a list of numbers by index, which grows by itself. A number that was never set is 0. */
export function createColumn(Kind: { new (length: number): Uint8Array | Uint32Array }): Column {
  let values = new Kind(1 << 16);
  return {
    at: (index) => values[index] ?? 0,
    set(index, value) {
      if (index >= values.length) {
        const larger = new Kind(2 ** Math.ceil(Math.log2(index + 1)));
        larger.set(values);
        values = larger;
      }
      values[index] = value;
    },
  };
}
