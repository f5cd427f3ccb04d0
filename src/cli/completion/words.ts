// The tables of the commands, as the shells' scripts need them.
import { BUILT_IN_NAMES } from '../../syscalls/targets/built-in.js';
import type { Completes } from '../command.js';

/** The ways in which a value can be completed: words to pick from, and files, which the shell knows. */
export type Words = { words: readonly string[]; shell: 'files' | 'files after =' | null };

const COMPLETES: Record<Completes, Words> = {
  file: { words: [], shell: 'files' },
  target: { words: BUILT_IN_NAMES, shell: null },
  'target-or-file': { words: BUILT_IN_NAMES, shell: 'files' },
  assignment: { words: [], shell: 'files after =' },
};

/** Return what can stand in the place of a value. */
export function wordsOf({ choices = [], completes }: { choices?: readonly string[]; completes?: Completes }): Words {
  return completes === undefined ? { words: choices, shell: null } : COMPLETES[completes];
}

/** Put a text into single quotes: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html */
export const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
