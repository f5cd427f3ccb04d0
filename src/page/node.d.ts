// protocol/system-call-text.ts imports a constant from protocol/preview.ts, whose functions take Node's Buffer. This is
// its type alone: there is no Buffer in a browser, so the page cannot make one.
interface Buffer extends Uint8Array {
  toString(encoding?: 'latin1', start?: number, end?: number): string;
}
