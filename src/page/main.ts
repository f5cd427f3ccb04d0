// The monitor page: asks what there is, starts the stream's worker, and joins the parts.

import type { z } from 'zod';
import { number } from '../protocol/format.js';
import type { Health, Levels, Targets } from '../protocol/service.js';
import { ask, post, Refused } from './api.js';
import { byId, fillSelect } from './dom.js';
import type { FromWorker, State, ToWorker } from './stream/worker.js';
import { showAnatomy } from './views/anatomy.js';
import { setUpCompare } from './views/compare.js';
import { setUpForm } from './views/form.js';
import { createRates } from './views/rates.js';
import { setUpRecord, showRecord } from './views/record.js';
import { createTable } from './views/table.js';
import { setUpTabs } from './views/tabs.js';

const STATES: Record<State, string> = {
  connecting: 'Connecting…',
  live: 'Live',
  paused: 'Paused: what happens meanwhile is replayed when you resume',
  lost: 'Connection lost: trying again',
};

const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
const tell = (message: ToWorker): void => worker.postMessage(message);

let available: string[] = [];
let needsToken = false;
let state: State = 'connecting';
let run: string | null = null;

const rates = createRates();
const table = createTable((view) => tell({ type: 'view', view }), showRecord);
setUpRecord(() => byId('grid').focus());
const showCurl = setUpForm(() => needsToken);
setUpCompare(() => available);
setUpTabs();

/** Asks what there is; with a token that was not given yet, asks for that first. */
async function load(): Promise<void> {
  const health = await ask<z.infer<typeof Health>>('/health');
  needsToken = health.token;
  byId('logout').hidden = !needsToken;
  byId('service').textContent = `syswire ${health.version}, process ${health.pid}, run ${health.run}`;
  const [levels, { targets }] = await Promise.all([
    ask<z.infer<typeof Levels>>('/levels'),
    ask<z.infer<typeof Targets>>('/targets'),
  ]);
  run = health.run;
  available = levels.levels.filter((level) => level.available).map(({ id }) => id);
  const levelOptions = levels.levels.map(({ id, available }) => ({ value: id, text: id, disabled: !available }));
  const targetOptions = targets.map(({ name, available, expects }) => ({
    value: name,
    text: expects === null ? name : `${name} (${expects})`,
    disabled: !available,
  }));
  for (const id of ['write-level', 'filter-level', 'write-target', 'filter-target', 'compare-target']) {
    const options = id.endsWith('level') ? levelOptions : targetOptions;
    const all = id.startsWith('filter') ? [{ value: '', text: 'all' }] : [];
    fillSelect(byId<HTMLSelectElement>(id), [...all, ...options]);
  }
  rates.levels(available);
  showCurl();
  tellFilter();
  showAnatomy(levels);
}

/** Shows the page if the service lets us in, else the form that asks for the token. */
async function enter(): Promise<void> {
  try {
    await load();
  } catch (error) {
    if (error instanceof Refused && error.problem.status === 401) {
      tell({ type: 'pause' });
      if (!byId('login').hidden) return;
      [byId('login').hidden, byId('page').hidden] = [false, true];
      byId('token').focus();
      return;
    }
    byId('state').textContent = (error as Error).message;
    setTimeout(enter, 1000);
    return;
  }
  [byId('login').hidden, byId('page').hidden] = [true, false];
  tell({ type: 'connect' });
}

function showState(next: State): void {
  state = next;
  byId('state').textContent = STATES[state];
  byId('state').dataset.state = state;
  byId('pause').textContent = state === 'paused' ? 'Resume' : 'Pause';
}

worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
  if (data.type === 'rates') rates.show(data.rates);
  else if (data.type === 'rows') {
    table.show(data);
    const lost = data.lost > 0 ? `, ${number(data.lost)} lost` : '';
    byId('counts').textContent = `${number(data.size)} rows of ${number(data.told)} records${lost}`;
  } else {
    showState(data.state);
    // Another start of the service may have other targets, and wants its token again.
    if (data.state === 'live' && data.hello && data.hello.run !== run) enter();
    if (data.state === 'lost') ask('/levels').catch((error) => (error instanceof Refused ? enter() : undefined));
  }
};

byId('pause').addEventListener('click', () => tell({ type: state === 'paused' ? 'connect' : 'pause' }));

/** The worker filters by what the form shows, however it came to show it. */
function tellFilter(): void {
  const field = new FormData(byId<HTMLFormElement>('filter'));
  const filter = {
    level: `${field.get('level')}` || null,
    target: `${field.get('target')}` || null,
    errors: field.has('errors'),
  };
  tell({ type: 'filter', filter });
  table.toTop();
}
byId('filter').addEventListener('input', tellFilter);
// After Back a browser puts in what was there, later than all else.
addEventListener('pageshow', tellFilter);

byId<HTMLFormElement>('login-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const token = byId<HTMLInputElement>('token');
  const problem = byId('login-problem');
  problem.textContent = '';
  try {
    await post('/login', { token: token.value });
    token.value = '';
    await enter();
  } catch (error) {
    problem.textContent = (error as Error).message;
    token.focus();
  }
});

byId('logout').addEventListener('click', async () => {
  try {
    await post('/logout', {});
    location.reload();
  } catch (error) {
    byId('state').textContent = `Not logged out: ${(error as Error).message}`;
  }
});

enter();
