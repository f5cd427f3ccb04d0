// Anatomy: the road of a message at each level, from JavaScript to the kernel, with what GET /levels says of it.
import type { z } from 'zod';
import type { LevelShape, Levels } from '../../protocol/service.js';
import { byId, element } from '../dom.js';

export type Level = z.infer<typeof LevelShape>;

type Step = [what: string, detail: string];

const name = (file: string | null): string => file?.split('/').at(-1) ?? '';
const own = ({ via }: Level): Step => ['Node-API addon', name(via.file) || 'our own native code'];
const enters = ({ via, number }: Level): Step => [
  via.instruction ?? '?',
  `our own instruction, call number ${number ?? '?'}`,
];

/** The stations between JavaScript and the kernel. */
const ROADS: Record<Level['id'], (level: Level) => Step[]> = {
  raw: (level) => [own(level), enters(level)],
  int80: (level) => [own(level), enters(level)],
  uring: (level) => [own(level), ['a ring in shared memory', 'an entry: IORING_OP_WRITE'], enters(level)],
  os: ({ via: { symbol, library, address } }) => [
    ['koffi', 'a foreign function interface'],
    [symbol ?? '?', [library, address].filter(Boolean).join(' at ')],
    ['its own instruction', 'the library chooses it'],
  ],
  std: ({ via: { library } }) => [
    ['fs.writeSync', 'Node’s standard library'],
    ['libuv', library ?? ''],
    ['libc', 'write'],
    ['its own instruction', 'the library chooses it'],
  ],
};

/** What is said of an observer that sees the write, and of one that does not. */
const OBSERVERS: Record<keyof NonNullable<Level['seenBy']>, [yes: string, no: string]> = {
  strace: ['strace sees it', 'strace sees no write'],
  seccomp: ['seccomp applies', 'seccomp on write does not apply'],
  ldPreload: ['LD_PRELOAD can step in', 'LD_PRELOAD cannot step in'],
  ltrace: ['ltrace sees it', 'ltrace sees nothing'],
};

function road(level: Level): HTMLElement {
  const steps: Step[] = [
    ['JavaScript', 'the message, as bytes'],
    ...ROADS[level.id](level),
    ['kernel', level.id === 'uring' ? 'io_uring' : 'write'],
  ];
  return element(
    'ol',
    { class: 'road', 'aria-label': `The road of a message at ${level.id}` },
    ...steps.map(([what, detail]) => element('li', {}, element('strong', {}, what), element('span', {}, detail))),
  );
}

function convention({ registers, number }: Level): HTMLElement[] {
  if (!registers) return [element('p', {}, 'Registers and number are the library’s business.')];
  const rows: [string, string][] = [
    [registers.number, `call number${number === null ? '' : `: ${number} (0x${number.toString(16)})`}`],
    ...registers.arguments.map((register, index): [string, string] => [
      register,
      ['descriptor', 'address of the bytes', 'how many'][index] ?? `argument ${index + 1}`,
    ]),
    [registers.result, 'result'],
    [registers.clobbered.join(', '), 'overwritten besides'],
  ];
  return [
    element(
      'table',
      {},
      element('caption', {}, `Registers. An error is told so: ${registers.error}.`),
      element(
        'tbody',
        {},
        ...rows.map(([register, use]) =>
          element('tr', {}, element('th', { scope: 'row' }, register), element('td', {}, use)),
        ),
      ),
    ),
  ];
}

function machineCode({ code, disassembly }: Level): HTMLElement[] {
  if (code === null) return [element('p', {}, 'No machine code of its own to show.')];
  const hex = code.match(/../g)?.join(' ') ?? '';
  const short = hex.length > 120 ? `${hex.slice(0, 119)} … (${code.length / 2} bytes)` : hex;
  return [
    element('p', {}, 'Machine code, read back from memory:'),
    element('pre', { tabindex: '0' }, [short, ...(disassembly ?? [])].join('\n')),
  ];
}

function seenBy({ seenBy }: Level): HTMLElement {
  if (seenBy === null) return element('p', {}, 'Nobody has tried who can see it.');
  return element(
    'ul',
    { class: 'observers', 'aria-label': 'Who can see the write' },
    ...Object.entries(OBSERVERS).map(([key, [yes, no]]) => {
      const sees = seenBy[key as keyof typeof seenBy];
      return element('li', { class: sees ? 'sees' : 'blind' }, sees ? `✓ ${yes}` : `✗ ${no}`);
    }),
  );
}

function article(level: Level): HTMLElement {
  const { id, available, reason, manPage } = level;
  const heading = element('h3', { class: `level ${id}` }, id);
  const made = element('article', { 'aria-label': id }, heading);
  made.classList.toggle('unavailable', !available);
  if (reason !== null) made.append(element('p', { class: 'reason' }, `Not available here: ${reason}.`));
  made.append(
    road(level),
    element(
      'div',
      { class: 'columns' },
      element('div', {}, ...convention(level)),
      element('div', {}, ...machineCode(level), seenBy(level)),
    ),
    element('p', {}, element('a', { href: manPage, rel: 'noreferrer', target: '_blank' }, `Read on: ${manPage}`)),
  );
  return made;
}

export function showAnatomy({ levels }: z.infer<typeof Levels>): void {
  byId('anatomy-levels').replaceChildren(...levels.map(article));
}
