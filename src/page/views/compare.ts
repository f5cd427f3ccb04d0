// Compare: the same burst at every available level, and the distributions of the calls' durations in one plot.
import uPlot from 'uplot';
import type { BurstResult } from '../../protocol/calls.js';
import { duration, number } from '../../protocol/format.js';
import { post } from '../api.js';
import { createElement, getById, readColour } from '../dom.js';

/** Return the x axis in ns and, for each result, the percentage of its calls at each x. */
function computeCurves(results: readonly BurstResult[]): { x: number[]; ys: number[][] } {
  const all = results.flatMap(({ histogram }) => histogram.map(({ ns }) => ns));
  const x = [...new Set(all)].sort((a, b) => a - b);
  const ys = results.map(({ histogram, count }) => {
    const calls = new Map(histogram.map((bucket) => [bucket.ns, bucket.calls]));
    return x.map((ns) => (100 * (calls.get(ns) ?? 0)) / count);
  });
  return { x, ys };
}

function draw(results: readonly BurstResult[]): uPlot {
  const { x, ys } = computeCurves(results);
  // The few slowest calls would squeeze all the others, so the plot ends before them. The table below the plot includes them.
  const shown: [number, number] = [(x[0] ?? 1) * 0.9, 4 * Math.max(...results.map(({ durationNs }) => durationNs.p99))];
  const stroke = readColour('muted');
  const grid = { stroke: readColour('line'), width: 1 };
  return new uPlot(
    {
      width: getById('distribution').clientWidth,
      height: 300,
      scales: {
        x: { time: false, distr: 3, log: 10, range: () => shown },
        y: { range: (_plot, _least, most) => [0, most * 1.05] },
      },
      axes: [
        { stroke, grid, values: (_plot, values) => values.map((ns) => (ns === null ? '' : duration(ns))) },
        { stroke, grid, values: (_plot, values) => values.map((part) => `${part} %`) },
      ],
      series: [
        { label: 'took', value: (_plot, ns) => (ns === null ? '–' : duration(ns)) },
        ...results.map(({ level }) => ({
          label: level,
          stroke: readColour(`level-${level}`),
          fill: `${readColour(`level-${level}`)}22`,
          width: 2,
          points: { show: false },
          value: (_plot: uPlot, part: number | null) => (part === null ? '–' : `${part.toFixed(1)} %`),
        })),
      ],
    },
    [x, ...ys],
    getById('distribution'),
  );
}

/** The names that are listed; rarer ones are V8's most of the time. */
const MOST_NAMES = 3;

/** Return the sums of a burst's system calls by name, the most frequent first: `write × 20,000`. */
function describeCalls(kinds: NonNullable<BurstResult['systemCalls']>): string {
  const times = new Map<string, number>();
  for (const { abi, name, times: more } of kinds) {
    const key = abi === 'i386' ? `[i386] ${name}` : name;
    times.set(key, (times.get(key) ?? 0) + more);
  }
  const names = [...times].sort(([, a], [, b]) => b - a).map(([name, calls]) => `${name} × ${number(calls)}`);
  const others = names.length > MOST_NAMES ? [`${names.length - MOST_NAMES} other names`] : [];
  return [...names.slice(0, MOST_NAMES), ...others].join(', ');
}

function createWitnessedCells({ systemCalls, disagreed, verdict }: BurstResult): HTMLElement[] {
  if (systemCalls === undefined || disagreed === undefined) return [];
  const verdicts =
    disagreed === 0
      ? createElement('td', {}, 'none')
      : createElement('td', { class: 'bad' }, `${number(disagreed)}, first: ${verdict}`);
  return [verdicts, createElement('td', {}, describeCalls(systemCalls))];
}

function createRow(result: BurstResult, fastest: number): HTMLElement {
  const { level, durationNs, callsPerSecond, errors } = result;
  const bar = createElement('span', { class: `bar ${level}` });
  bar.style.inlineSize = `${(100 * callsPerSecond) / fastest}%`;
  const refused = Object.entries(errors).map(([code, calls]) => `${code} × ${number(calls)}`);
  return createElement(
    'tr',
    {},
    createElement('th', { scope: 'row', class: `level ${level}` }, level),
    ...(['p50', 'p90', 'p99'] as const).map((name) => createElement('td', {}, duration(durationNs[name]))),
    createElement('td', { class: 'rate' }, createElement('span', { class: 'track' }, bar), number(callsPerSecond)),
    createElement('td', {}, refused.join(', ') || 'none'),
    ...createWitnessedCells(result),
  );
}

/**
 * @param getLevels returns the available levels, in the order of GET /levels
 * @param isWitnessed returns true if the calls are to have a witness
 */
export function setUpCompare(getLevels: () => string[], isWitnessed: () => boolean): void {
  const panel = getById('compare-panel');
  const form = getById<HTMLFormElement>('compare-form');
  const start = getById<HTMLButtonElement>('compare-start');
  const stop = getById<HTMLButtonElement>('compare-stop');
  const status = getById('compare-status');
  const progress = getById<HTMLProgressElement>('compare-progress');
  let results: BurstResult[] = [];
  let plot: uPlot | undefined;
  let running: AbortController | undefined;

  function show(): void {
    plot?.destroy();
    plot = undefined;
    getById('compare-results').hidden = results.length === 0;
    if (results.length === 0) return;
    const hasWitness = results.some(({ systemCalls }) => systemCalls !== undefined);
    for (const part of panel.querySelectorAll<HTMLElement>('.witnessed')) part.hidden = !hasWitness;
    plot = draw(results);
    const fastest = Math.max(...results.map(({ callsPerSecond }) => callsPerSecond));
    getById('compare-rows').replaceChildren(...results.map((result) => createRow(result, fastest)));
  }

  async function run(signal: AbortSignal): Promise<void> {
    const field = new FormData(form);
    const count = Number(field.get('count'));
    const levels = getLevels();
    // One choice for all levels: their figures are compared.
    const witness = isWitnessed() ? { witness: true } : {};
    progress.max = levels.length;
    results = [];
    show();
    for (const [index, level] of levels.entries()) {
      progress.value = index;
      status.textContent = `${level}: ${number(count)} calls (${index + 1} of ${levels.length})`;
      const body = { level, target: `${field.get('target')}`, msg: 'Hello world from interrupt!\n', count, ...witness };
      results.push(await post<BurstResult>('/bursts', body, { signal }));
      show();
    }
    progress.value = levels.length;
    const disagreed = results.reduce((sum, result) => sum + (result.disagreed ?? 0), 0);
    const verdict = disagreed > 0 ? ` The witness did not agree with ${number(disagreed)} of them.` : '';
    status.textContent = `Done: ${number(count)} calls at each of ${levels.length} levels.${verdict}`;
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    running = new AbortController();
    [start.disabled, stop.disabled, progress.hidden] = [true, false, false];
    try {
      await run(running.signal);
    } catch (error) {
      status.textContent = running.signal.aborted ? 'Stopped.' : `${(error as Error).message}`;
    }
    [start.disabled, stop.disabled, progress.hidden] = [false, true, true];
  });
  // The service stops a burst when its client closes the connection.
  stop.addEventListener('click', () => running?.abort());
  new ResizeObserver(() => {
    const width = getById('distribution').clientWidth;
    if (plot && width > 0 && width !== plot.width) plot.setSize({ width, height: 300 });
  }).observe(getById('distribution'));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
}
