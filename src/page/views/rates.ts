// Calls a second at each level over the last two minutes, as small plots.
import uPlot from 'uplot';
import { number } from '../../protocol/format.js';
import { byId, colour, element } from '../dom.js';
import { RATE_SECONDS, type Second } from '../stream/history.js';

const HEIGHT = 44;
const UNITS: [size: number, name: string][] = [
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
];

function bytes(value: number): string {
  const [size, name] = UNITS.find(([size]) => value >= size) ?? [1, 'B'];
  return `${size === 1 ? value : (value / size).toFixed(1)} ${name}`;
}

type Small = { plot: uPlot; text: HTMLElement; errors: HTMLElement };

export type Rates = { show: (rates: Record<string, Second[]>) => void; levels: (levels: string[]) => void };

export function createRates(): Rates {
  const strip = byId('rates');
  const x = Array.from({ length: RATE_SECONDS }, (_, index) => index - RATE_SECONDS + 1);
  const idle = x.map(() => 0);
  let smalls = new Map<string, Small>();
  let levels: string[] = [];

  function makeSmall(level: string): Small {
    const at = element('div', {
      class: 'plot',
      role: 'img',
      'aria-label': `Calls a second at ${level}, last two minutes`,
    });
    const text = element('span', { class: 'now' }, '0 calls/s');
    const errors = element('span', { class: 'errors' });
    strip.append(
      element(
        'section',
        { class: 'small', 'aria-label': level },
        element('h3', { class: `level ${level}` }, level),
        at,
        text,
        errors,
      ),
    );
    const options: uPlot.Options = {
      width: Math.max(60, at.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      axes: [{ show: false }, { show: false }],
      padding: [2, 0, 0, 0],
      scales: { x: { time: false }, y: { range: (_plot, _least, most) => [0, Math.max(1, most)] } },
      series: [
        {},
        {
          stroke: colour(`level-${level}`),
          fill: `${colour(`level-${level}`)}33`,
          width: 1.5,
          points: { show: false },
        },
        { stroke: colour('bad'), width: 1, points: { show: false } },
      ],
    };
    return { plot: new uPlot(options, [x, idle, idle], at), text, errors };
  }

  function make(): void {
    for (const { plot } of smalls.values()) plot.destroy();
    strip.replaceChildren();
    smalls = new Map(levels.map((level) => [level, makeSmall(level)]));
  }
  new ResizeObserver(() => {
    for (const { plot } of smalls.values()) {
      const width = plot.root.parentElement?.clientWidth ?? 0;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }).observe(strip);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', make);

  return {
    levels(wanted) {
      levels = wanted;
      make();
    },
    show(rates) {
      for (const [level, { plot, text, errors }] of smalls) {
        const seconds = rates[level];
        plot.setData([x, seconds?.map(({ calls }) => calls) ?? idle, seconds?.map((at) => at.errors) ?? idle]);
        // The last whole second: this one is not over.
        const now = seconds?.at(-2) ?? { calls: 0, bytes: 0, errors: 0 };
        text.textContent = `${number(now.calls)} calls/s`;
        errors.textContent = `${bytes(now.bytes)}/s, ${number(now.errors)} errors/s`;
        errors.classList.toggle('bad', now.errors > 0);
      }
    },
  };
}
