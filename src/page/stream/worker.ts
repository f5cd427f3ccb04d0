// The stream, in a worker of its own, so that a million calls a second keep no click waiting: the document
// asks for the rows it shows, and for nothing else.
import type { CallRecord, Gap, Hello, StreamError } from '../../protocol/records.js';
import type { Rows, View } from '../views/table.js';
import { createHistory, type Filter, type Second } from './history.js';

export type ToWorker =
  | { type: 'connect' }
  | { type: 'pause' }
  | { type: 'filter'; filter: Filter }
  /** The rows that can be seen. */
  | { type: 'view'; view: View };

export type State = 'connecting' | 'live' | 'paused' | 'lost';

export type FromWorker =
  | { type: 'state'; state: State; hello: Hello | null }
  | ({ type: 'rows'; told: number; lost: number } & Rows)
  | { type: 'rates'; rates: Record<string, Second[]> };

/** How often the document is told of rows at most, and of rates, in ms. */
const ROWS_MS = 50;
const RATES_MS = 1000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;

const history = createHistory();
let socket: WebSocket | null = null;
let hello: Hello | null = null;
/** Where to go on, and of which run. */
let next: number | null = null;
let run: string | null = null;
let wait = FIRST_WAIT_MS;
let view: View = { from: 0, count: 0, until: null };
let isDirty = false;
/** Raised by each connection and each end of one: who waited meanwhile sees that it is not meant any more. */
let attempt = 0;
/** How far the service's clock is ahead of this one, in ms, as its Date header says. */
let skew = 0;
let retry: ReturnType<typeof setTimeout> | undefined;

const tell = (message: FromWorker): void => postMessage(message);
const tellState = (state: State): void => tell({ type: 'state', state, hello });

function take(line: string): void {
  const value = JSON.parse(line) as Hello | CallRecord | Gap | StreamError;
  if (value.type === 'error') {
    // A run that is over, or one that has not come so far: from its beginning, then.
    next = 1;
    return;
  }
  if (value.type === 'hello') {
    hello = value;
    if (run !== null && run !== value.run) {
      // Another start of the service: its records begin at 1 again.
      history.add(value);
      next = 1;
    }
    run = value.run;
    return;
  }
  next = (value.type === 'gap' ? value.to : value.seq) + 1;
  history.add(value);
}

/** What to begin with: all that the service still has, so that a page that is loaded again shows what it showed. */
async function oldest(): Promise<number> {
  const answer = await fetch('/events?limit=1');
  if (!answer.ok) throw new Error(answer.statusText);
  const date = Date.parse(answer.headers.get('date') ?? '');
  if (!Number.isNaN(date)) skew = date - Date.now();
  return ((await answer.json()) as { oldest: number }).oldest;
}

async function connect(): Promise<void> {
  clearTimeout(retry);
  const mine = ++attempt;
  tellState('connecting');
  try {
    const first = await oldest();
    if (mine !== attempt) return;
    next ??= first;
  } catch {
    if (mine === attempt) onLost();
    return;
  }
  const at = new URL('/events', location.href);
  at.protocol = at.protocol.replace('http', 'ws');
  at.searchParams.set('since', `${next}`);
  if (run !== null) at.searchParams.set('run', run);
  const opened = new WebSocket(at);
  socket = opened;
  opened.onmessage = ({ data }: MessageEvent<string>) => {
    if (socket !== opened) return;
    for (const line of data.split('\n')) take(line);
    if (wait !== 0) tellState('live');
    wait = 0;
    isDirty = true;
  };
  opened.onclose = () => {
    if (socket !== opened) return;
    socket = null;
    onLost();
  };
}

function onLost(): void {
  wait = Math.min(wait * 2 || FIRST_WAIT_MS, LONGEST_WAIT_MS);
  tellState('lost');
  retry = setTimeout(connect, wait);
}

function disconnect(): void {
  const old = socket;
  socket = null;
  attempt += 1;
  clearTimeout(retry);
  old?.close();
}

function tellRows(): void {
  if (!isDirty) return;
  isDirty = false;
  const passed = history.passed();
  // What was held before the filter changed may be more than passes it.
  const until = Math.min(view.until ?? passed, passed);
  const rows = history.rows(view.from, view.count, until);
  tell({ type: 'rows', view, rows, size: history.size(until), passed, ...history.counts() });
}

setInterval(tellRows, ROWS_MS);
setInterval(() => tell({ type: 'rates', rates: history.rates(Date.now() + skew) }), RATES_MS);

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  switch (data.type) {
    case 'connect':
      if (socket !== null) break;
      wait = FIRST_WAIT_MS;
      connect();
      break;
    case 'pause':
      // Nothing is sent meanwhile: what is missed is replayed from the service's ring.
      disconnect();
      tellState('paused');
      break;
    case 'filter':
      history.filter(data.filter);
      isDirty = true;
      break;
    case 'view':
      view = data.view;
      isDirty = true;
      tellRows();
      break;
  }
});
