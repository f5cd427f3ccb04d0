// The two switches for a witness: "Witness every call" in the header, which is about all calls of this page, and that of
// the write form.
import type { Levels } from '../../protocol/service.js';
import { getById } from '../dom.js';

type Availability = Levels['witness'];

/** The state of both switches as the service sets it, and why; `forced` is null where the user chooses. */
type Stand = { forced: boolean | null; note: string };

export type Witness = {
  /** Set the switches to what the service allows. */
  setAvailability: (witness: Availability) => void;
  /** Return true if all calls of this page ask for a witness. */
  isEvery: () => boolean;
};

/** The choice is kept for each service, because a browser stores it by the address. */
const KEY = 'syswire.witness';

/** Read the choice that was made before a reload. Browsers that keep no data for a page throw. */
function readChoice(): boolean {
  try {
    return localStorage.getItem(KEY) === 'every';
  } catch {
    return false;
  }
}

function keepChoice(isEvery: boolean): void {
  try {
    if (isEvery) localStorage.setItem(KEY, 'every');
    else localStorage.removeItem(KEY);
  } catch {
    // The choice then holds until the page is left.
  }
}

function standOf({ available, reason, always }: Availability): Stand {
  if (!available) return { forced: false, note: `No witness here: ${reason ?? 'the reason is not known'}.` };
  if (always) return { forced: true, note: 'This service was started with --witness: it witnesses every call.' };
  return { forced: null, note: '' };
}

/** @param onChange called when the write form's next request has become another one */
export function setUpWitness(onChange: () => void): Witness {
  const every = getById<HTMLInputElement>('witness-every');
  const form = getById<HTMLInputElement>('write-witness');
  const note = getById('witness-note');
  let stand: Stand = { forced: false, note: '' };
  let choice = { every: readChoice(), form: false };

  function set(input: HTMLInputElement, forced: boolean | null, chosen: boolean, why: string): void {
    input.checked = forced ?? chosen;
    input.disabled = forced !== null;
    const label = input.parentElement as HTMLElement;
    label.title = why;
  }

  function show(): void {
    note.textContent = stand.note;
    note.hidden = stand.note === '';
    set(
      every,
      stand.forced,
      choice.every,
      stand.note || 'All calls of this page ask for a witness, which lists their system calls',
    );
    // A reason why there is none stands out more than a note that all calls have one.
    note.classList.toggle('reason', !every.checked);
    const isImplied = stand.forced === null && every.checked;
    const why = isImplied
      ? 'On, because “Witness every call” is on'
      : 'The answer lists the system calls that the kernel got';
    set(form, isImplied ? true : stand.forced, choice.form, stand.note || why);
    onChange();
  }

  every.addEventListener('change', () => {
    choice = { ...choice, every: every.checked };
    keepChoice(choice.every);
    show();
  });
  form.addEventListener('change', () => {
    choice = { ...choice, form: form.checked };
  });
  return {
    setAvailability(witness) {
      stand = standOf(witness);
      show();
    },
    isEvery: () => every.checked,
  };
}
