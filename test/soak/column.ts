// A number for each record, in as many bytes as it needs: an hour's records are tens of millions.

export type Column = { at: (index: number) => number; set: (index: number, value: number) => void };

/** Numbers by index; 0 where none was set. */
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
