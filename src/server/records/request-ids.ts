// The request ids of the records in the ring. Those that the service made, `RUN-1`, `RUN-2` and so on, are kept as numbers:
// strings that live as long as the ring make the garbage collector copy each of them twice.

export type RequestIds = {
  keep: (slot: number, id: string) => void;
  of: (slot: number) => string;
};

const ZERO = 0x30;
/** The most digits of a number that is exact. */
const MAX_DIGITS = 15;

/** Returns the N of `PREFIXN`; 0 for any other text. */
function numberOf(id: string, prefix: string): number {
  if (!id.startsWith(prefix) || id.length > prefix.length + MAX_DIGITS) return 0;
  let number = 0;
  for (let at = prefix.length; at < id.length; at++) {
    const digit = id.charCodeAt(at) - ZERO;
    const isFirstZero = number === 0 && digit === 0;
    if (digit < 0 || digit > 9 || isFirstZero) return 0;
    number = number * 10 + digit;
  }
  return number;
}

/** @param run the id of the run, with which the service's own ids begin */
export function createRequestIdRing(capacity: number, run: string): RequestIds {
  const prefix = `${run}-`;
  /** 0 where the id is in `given`. */
  const numbers = new Float64Array(capacity);
  /** Made when a client first sends an id of its own. */
  let given: string[] | null = null;
  let lastId = '';
  let lastNumber = 0;
  return {
    keep(slot, id) {
      // All calls of a burst have the same id.
      if (id !== lastId) {
        lastId = id;
        lastNumber = numberOf(id, prefix);
      }
      const number = lastNumber;
      numbers[slot] = number;
      if (number > 0) return;
      given ??= new Array<string>(capacity).fill('');
      given[slot] = id;
    },
    of: (slot) => (numbers[slot] === 0 ? (given?.[slot] ?? '') : `${prefix}${numbers[slot]}`),
  };
}
