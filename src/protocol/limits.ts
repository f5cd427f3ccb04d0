// The limits of requests and records, which the shapes check and the documents state.

/** The bytes of each message that a record keeps. */
export const PREVIEW_BYTES = 64;

/** The largest `timeoutMs` of a write. */
export const MAX_TIMEOUT_MS = 60_000;
/** The most writes in one POST /writes. */
export const MAX_WRITES = 10_000;
/** The most calls of one burst. */
export const MAX_BURST_CALLS = 10_000_000;
/** The longest time that a burst may take, in ms. */
export const MAX_BURST_MS = 60_000;
/** The most records in one answer of GET /events. */
export const MAX_EVENTS = 10_000;
