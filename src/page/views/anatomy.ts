// Anatomy: for each level, the steps from JavaScript to the kernel and the facts that GET /levels reports.
import { LEVELS_IN_WORDS } from '../../protocol/names.js';
import type { Levels } from '../../protocol/service.js';
import { createElement, getById } from '../dom.js';
import { createSystemCalls, createVerdict } from './system-calls.js';

type Level = Levels['levels'][number];

type Step = [what: string, detail: string];

const baseName = (file: string | null): string => file?.split('/').at(-1) ?? '';
const createAddonStep = ({ via }: Level): Step => ['Node-API addon', baseName(via.file) || 'our own native code'];
const createKernelEntry = ({ via, number }: Level): Step => [
  via.instruction ?? '?',
  `our own instruction, call number ${number ?? '?'}`,
];

/** The steps between JavaScript and the kernel. */
const ROADS: Record<Level['id'], (level: Level) => Step[]> = {
  raw: (level) => [createAddonStep(level), createKernelEntry(level)],
  int80: (level) => [createAddonStep(level), createKernelEntry(level)],
  uring: (level) => [
    createAddonStep(level),
    ['a ring in shared memory', 'an entry: IORING_OP_WRITE'],
    createKernelEntry(level),
  ],
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

/** The text for an observer that sees the write, and for one that does not. */
const OBSERVERS: Record<keyof NonNullable<Level['seenBy']>, [yes: string, no: string]> = {
  strace: ['strace sees it', 'strace sees no write'],
  seccomp: ['seccomp applies', 'seccomp on write does not apply'],
  ldPreload: ['LD_PRELOAD can step in', 'LD_PRELOAD cannot step in'],
  ltrace: ['ltrace sees it', 'ltrace sees nothing'],
};

function createRoad(level: Level): HTMLElement {
  const steps: Step[] = [
    ['JavaScript', 'the message, as bytes'],
    ...ROADS[level.id](level),
    ['kernel', level.id === 'uring' ? 'io_uring' : 'write'],
  ];
  return createElement(
    'ol',
    { class: 'road', 'aria-label': `The road of a message at ${level.id}` },
    ...steps.map(([what, detail]) =>
      createElement('li', {}, createElement('strong', {}, what), createElement('span', {}, detail)),
    ),
  );
}

function createConvention({ registers, number }: Level): HTMLElement[] {
  if (!registers) return [createElement('p', {}, 'The library chooses the registers and the call number.')];
  const rows: [string, string][] = [
    [registers.number, `call number${number === null ? '' : `: ${number} (0x${number.toString(16)})`}`],
    ...registers.arguments.map((register, index): [string, string] => [register, registers.meanings[index] ?? '']),
    [registers.result, 'result'],
    [registers.clobbered.join(', '), 'also overwritten'],
  ];
  return [
    createElement(
      'table',
      {},
      createElement('caption', {}, `Registers. Errors: ${registers.error}.`),
      createElement(
        'tbody',
        {},
        ...rows.map(([register, use]) =>
          createElement('tr', {}, createElement('th', { scope: 'row' }, register), createElement('td', {}, use)),
        ),
      ),
    ),
  ];
}

function createMachineCode({ code, disassembly }: Level): HTMLElement[] {
  if (code === null) return [createElement('p', {}, 'This level has no machine code of its own.')];
  const hex = code.match(/../g)?.join(' ') ?? '';
  const short = hex.length > 120 ? `${hex.slice(0, 119)} … (${code.length / 2} bytes)` : hex;
  return [
    createElement('p', {}, 'Machine code, read back from memory:'),
    createElement('pre', { tabindex: '0' }, [short, ...(disassembly ?? [])].join('\n')),
  ];
}

function createObservers({ seenBy }: Level): HTMLElement {
  if (seenBy === null) return createElement('p', {}, 'Not tested yet which observers see it.');
  return createElement(
    'ul',
    { class: 'observers', 'aria-label': 'Observers of the write' },
    ...Object.entries(OBSERVERS).map(([key, [yes, no]]) => {
      const sees = seenBy[key as keyof typeof seenBy];
      return createElement('li', { class: sees ? 'sees' : 'blind' }, sees ? `✓ ${yes}` : `✗ ${no}`);
    }),
  );
}

/** Show what one call did, or say why there was no witness. An unavailable level has said why already. */
function createSeen({ id, available, witnessed }: Level, witness: Levels['witness']): HTMLElement[] {
  if (!available) return [];
  const heading = createElement('h4', {}, 'Seen on this machine');
  if (witnessed === null)
    return [heading, createElement('p', { class: 'reason' }, `Not seen: ${witness.reason ?? 'there was no witness'}.`)];
  const what = `A witness saw one call of ${id} to the null device:`;
  return [
    heading,
    createElement('p', {}, what),
    ...createSystemCalls(witnessed, `System calls of ${id}`),
    createVerdict(witnessed),
  ];
}

function createArticle(level: Level, witness: Levels['witness']): HTMLElement {
  const { id, available, reason, manPage } = level;
  const heading = createElement('h3', { class: `level ${id}` }, id);
  const article = createElement(
    'article',
    { 'aria-label': id },
    heading,
    createElement('p', {}, LEVELS_IN_WORDS[id].is),
  );
  article.classList.toggle('unavailable', !available);
  if (reason !== null) article.append(createElement('p', { class: 'reason' }, `Not available here: ${reason}.`));
  article.append(
    createRoad(level),
    createElement(
      'div',
      { class: 'columns' },
      createElement('div', {}, ...createConvention(level)),
      createElement('div', {}, ...createMachineCode(level), createObservers(level)),
    ),
    createElement('div', { class: 'seen' }, ...createSeen(level, witness)),
    createElement(
      'p',
      {},
      createElement('a', { href: manPage, rel: 'noreferrer', target: '_blank' }, `Read on: ${manPage}`),
    ),
  );
  return article;
}

export function showAnatomy({ levels, witness }: Levels): void {
  getById('anatomy-levels').replaceChildren(...levels.map((level) => createArticle(level, witness)));
}
