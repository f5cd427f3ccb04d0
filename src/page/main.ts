// The monitor page: connects its views with the service and with the stream's worker.
import { number } from '../protocol/format.js';
import type { Health, Levels, Targets } from '../protocol/service.js';
import { ProblemError, request } from './api.js';
import { fillSelect, getById } from './dom.js';
import { setUpLogin } from './login.js';
import type { FromWorker, State, ToWorker } from './stream/messages.js';
import { showAnatomy } from './views/anatomy.js';
import { setUpCompare } from './views/compare.js';
import { setUpForm } from './views/form.js';
import { createRates } from './views/rates.js';
import { setUpRecord, showRecord } from './views/record.js';
import { createTable } from './views/table.js';
import { setUpTabs } from './views/tabs.js';
import { setUpWitness } from './views/witness.js';

const STATES: Record<State, string> = {
  connecting: 'Connecting…',
  live: 'Live',
  paused: 'Paused: new records are replayed when you resume',
  lost: 'Connection lost: trying again',
};

let state: State = 'connecting';
let run: string | null = null;
let availableLevels: string[] = [];
let needsToken = false;

const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
const send = (message: ToWorker): void => worker.postMessage(message);

const login = setUpLogin(enter);
const rates = createRates();
const table = createTable((view) => send({ type: 'view', view }), showRecord);
setUpRecord(() => getById('grid').focus());
const showCurl = setUpForm(() => needsToken);
const witness = setUpWitness(showCurl);
setUpCompare(() => availableLevels, witness.isEvery);
setUpTabs();

worker.onmessage = ({ data }: MessageEvent<FromWorker>) => receive(data);
getById('pause').addEventListener('click', () => send({ type: state === 'paused' ? 'connect' : 'pause' }));
getById('filter').addEventListener('input', applyFilter);
// After Back, a browser restores the fields without an input event.
addEventListener('pageshow', applyFilter);
enter();

/** Show the page and connect the stream, or show the log-in form if the service refuses without a token. */
async function enter(): Promise<void> {
  try {
    await load();
  } catch (error) {
    if (error instanceof ProblemError && error.problem.status === 401) {
      send({ type: 'pause' });
      login.show();
      return;
    }
    getById('state').textContent = (error as Error).message;
    setTimeout(enter, 1000);
    return;
  }
  login.hide();
  send({ type: 'connect' });
}

async function load(): Promise<void> {
  // GET /health needs no token: it says whether the other requests do.
  const health = await request<Health>('/health');
  needsToken = health.token;
  login.offerLogout(needsToken);
  getById('service').textContent = `syswire ${health.version}, process ${health.pid}, run ${health.run}`;
  const [levels, targets] = await Promise.all([request<Levels>('/levels'), request<Targets>('/targets')]);
  run = health.run;
  availableLevels = levels.levels.filter(({ available }) => available).map(({ id }) => id);
  fillSelects(levels, targets);
  rates.setLevels(availableLevels);
  // Shows the curl command too.
  witness.setAvailability(levels.witness);
  applyFilter();
  showAnatomy(levels);
}

function fillSelects({ levels }: Levels, { targets }: Targets): void {
  const levelOptions = levels.map(({ id, available }) => ({ value: id, text: id, disabled: !available }));
  const targetOptions = targets.map(({ name, available, expects }) => ({
    value: name,
    text: expects === null ? name : `${name} (${expects})`,
    disabled: !available,
  }));
  for (const id of ['write-level', 'filter-level', 'write-target', 'filter-target', 'compare-target']) {
    const options = id.endsWith('level') ? levelOptions : targetOptions;
    const all = id.startsWith('filter') ? [{ value: '', text: 'all' }] : [];
    // Compare makes thousands of calls, which would bury what standard output shows.
    const preferred = id === 'compare-target' ? 'null' : undefined;
    fillSelect(getById<HTMLSelectElement>(id), [...all, ...options], preferred);
  }
}

/** Send the worker the filter that the form shows. */
function applyFilter(): void {
  const field = new FormData(getById<HTMLFormElement>('filter'));
  const filter = {
    level: `${field.get('level')}` || null,
    target: `${field.get('target')}` || null,
    errors: field.has('errors'),
  };
  send({ type: 'filter', filter });
  table.goToTop();
}

function receive(message: FromWorker): void {
  switch (message.type) {
    case 'rates':
      rates.show(message.rates);
      break;
    case 'rows': {
      table.show(message);
      const lost = message.lost > 0 ? `, ${number(message.lost)} lost` : '';
      getById('counts').textContent = `${number(message.size)} rows of ${number(message.received)} records${lost}`;
      break;
    }
    case 'state':
      showState(message.state);
      // Another run of the service may have other levels and targets, and knows none of the old log-ins.
      if (message.state === 'live' && message.hello && message.hello.run !== run) enter();
      // A WebSocket does not say why it closed. This request does: the service may want a token.
      if (message.state === 'lost')
        request('/levels').catch((error) => (error instanceof ProblemError ? enter() : undefined));
      break;
  }
}

function showState(next: State): void {
  state = next;
  getById('state').textContent = STATES[state];
  getById('state').dataset.state = state;
  getById('pause').textContent = state === 'paused' ? 'Resume' : 'Pause';
}
