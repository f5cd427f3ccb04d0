// Calls per second over the last two minutes, one small plot for each level.
import uPlot from 'uplot';
import { number } from '../../protocol/format.js';
import { createElement, getById, readColour } from '../dom.js';
import { RATE_SECONDS, type Second } from '../stream/history.js';

const HEIGHT = 44;
const UNITS: [size: number, name: string][] = [
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
];

function formatBytes(value: number): string {
  const [size, name] = UNITS.find(([size]) => value >= size) ?? [1, 'B'];
  return `${size === 1 ? value : (value / size).toFixed(1)} ${name}`;
}

type LevelPlot = { plot: uPlot; text: HTMLElement; errors: HTMLElement };

export type Rates = { show: (rates: Record<string, Second[]>) => void; setLevels: (levels: string[]) => void };

export function createRates(): Rates {
  const strip = getById('rates');
  const x = Array.from({ length: RATE_SECONDS }, (_, index) => index - RATE_SECONDS + 1);
  const idle = x.map(() => 0);
  let plots = new Map<string, LevelPlot>();
  let levels: string[] = [];

  function createPlot(level: string): LevelPlot {
    const box = createElement('div', {
      class: 'plot',
      role: 'img',
      'aria-label': `Calls a second at ${level}, last two minutes`,
    });
    const text = createElement('span', { class: 'now' }, '0 calls/s');
    const errors = createElement('span', { class: 'errors' });
    strip.append(
      createElement(
        'section',
        { class: 'small', 'aria-label': level },
        createElement('h3', { class: `level ${level}` }, level),
        box,
        text,
        errors,
      ),
    );
    const options: uPlot.Options = {
      width: Math.max(60, box.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      axes: [{ show: false }, { show: false }],
      padding: [2, 0, 0, 0],
      scales: { x: { time: false }, y: { range: (_plot, _least, most) => [0, Math.max(1, most)] } },
      series: [
        {},
        {
          stroke: readColour(`level-${level}`),
          fill: `${readColour(`level-${level}`)}33`,
          width: 1.5,
          points: { show: false },
        },
        { stroke: readColour('bad'), width: 1, points: { show: false } },
      ],
    };
    return { plot: new uPlot(options, [x, idle, idle], box), text, errors };
  }

  function createPlots(): void {
    for (const { plot } of plots.values()) plot.destroy();
    strip.replaceChildren();
    plots = new Map(levels.map((level) => [level, createPlot(level)]));
  }
  new ResizeObserver(() => {
    for (const { plot } of plots.values()) {
      const width = plot.root.parentElement?.clientWidth ?? 0;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }).observe(strip);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', createPlots);

  return {
    setLevels(wanted) {
      levels = wanted;
      createPlots();
    },
    show(rates) {
      for (const [level, { plot, text, errors }] of plots) {
        const seconds = rates[level];
        plot.setData([x, seconds?.map(({ calls }) => calls) ?? idle, seconds?.map(({ errors }) => errors) ?? idle]);
        // The last entry is the current second, which is not over.
        const now = seconds?.at(-2) ?? { calls: 0, bytes: 0, errors: 0 };
        text.textContent = `${number(now.calls)} calls/s`;
        errors.textContent = `${formatBytes(now.bytes)}/s, ${number(now.errors)} errors/s`;
        errors.classList.toggle('bad', now.errors > 0);
      }
    },
  };
}
