// The stream, in a worker of its own: however many records come, the document stays free to handle clicks.
// The document receives only the rows that it shows.
import type { CallRecord, End, Gap, Hello, StreamError } from '../../protocol/records.js';
import { createHistory } from './history.js';
import type { FromWorker, State, ToWorker, View } from './messages.js';

/** The shortest time between two messages with rows, and the time between two with rates, in ms. */
const ROWS_MS = 50;
const RATES_MS = 1000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;

const history = createHistory();
let socket: WebSocket | null = null;
let hello: Hello | null = null;
/** The `seq` to continue at, and the run that it belongs to. */
let cursor: number | null = null;
let run: string | null = null;
/** Before the next attempt to connect, in ms; 0 while the stream is live. */
let wait = FIRST_WAIT_MS;
let retry: ReturnType<typeof setTimeout> | undefined;
/** Counts connects and disconnects: after an await, connect() compares it to learn whether it was overtaken. */
let attempt = 0;
let view: View = { from: 0, count: 0, until: null };
let isDirty = false;
/** The time by which the service's clock is ahead of this one, in ms, by its Date header. */
let clockSkew = 0;

const send = (message: FromWorker): void => postMessage(message);
const sendState = (state: State): void => send({ type: 'state', state, hello });

function receive(line: string): void {
  const value = JSON.parse(line) as Hello | CallRecord | Gap | End | StreamError;
  if (value.type === 'end') return;
  if (value.type === 'error') {
    // The cursor belongs to another run, or is beyond the end of this one: start over.
    cursor = 1;
    return;
  }
  if (value.type === 'hello') {
    hello = value;
    if (run !== null && run !== value.run) {
      history.add(value);
      // Each run numbers its records from 1.
      cursor = 1;
    }
    run = value.run;
    return;
  }
  cursor = (value.type === 'gap' ? value.to : value.seq) + 1;
  history.add(value);
}

/** Ask for the oldest record that the service keeps: from there on, a reloaded page shows what it showed before. */
async function fetchOldest(): Promise<number> {
  const response = await fetch('/events?limit=1');
  if (!response.ok) throw new Error(response.statusText);
  const date = Date.parse(response.headers.get('date') ?? '');
  if (!Number.isNaN(date)) clockSkew = date - Date.now();
  return ((await response.json()) as { oldest: number }).oldest;
}

async function connect(): Promise<void> {
  clearTimeout(retry);
  const ownAttempt = ++attempt;
  sendState('connecting');
  try {
    const oldest = await fetchOldest();
    if (ownAttempt !== attempt) return;
    cursor ??= oldest;
  } catch {
    if (ownAttempt === attempt) retryLater();
    return;
  }
  const url = new URL('/events', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  url.searchParams.set('since', `${cursor}`);
  if (run !== null) url.searchParams.set('run', run);
  const opened = new WebSocket(url);
  socket = opened;
  opened.onmessage = ({ data }: MessageEvent<string>) => {
    if (socket !== opened) return;
    for (const line of data.split('\n')) receive(line);
    if (wait !== 0) sendState('live');
    wait = 0;
    isDirty = true;
  };
  opened.onclose = () => {
    if (socket !== opened) return;
    socket = null;
    retryLater();
  };
}

function retryLater(): void {
  wait = Math.min(wait * 2 || FIRST_WAIT_MS, LONGEST_WAIT_MS);
  sendState('lost');
  retry = setTimeout(connect, wait);
}

function disconnect(): void {
  const closing = socket;
  socket = null;
  attempt += 1;
  clearTimeout(retry);
  closing?.close();
}

function sendRows(): void {
  if (!isDirty) return;
  isDirty = false;
  const matched = history.countMatched();
  // A view from before the filter changed may reach beyond the rows that match now.
  const until = Math.min(view.until ?? matched, matched);
  const rows = history.readRows(view.from, view.count, until);
  send({ type: 'rows', view, rows, size: history.countKept(until), matched, ...history.countRecords() });
}

setInterval(sendRows, ROWS_MS);
setInterval(() => send({ type: 'rates', rates: history.readRates(Date.now() + clockSkew) }), RATES_MS);

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  switch (data.type) {
    case 'connect':
      if (socket !== null) break;
      wait = FIRST_WAIT_MS;
      connect();
      break;
    case 'pause':
      // The connection is closed while paused. The cursor stays: the service replays what its ring still has.
      disconnect();
      sendState('paused');
      break;
    case 'filter':
      history.setFilter(data.filter);
      isDirty = true;
      break;
    case 'view':
      view = data.view;
      isDirty = true;
      sendRows();
      break;
  }
});
