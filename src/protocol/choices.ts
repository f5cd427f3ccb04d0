// The values that a word of a command line or a field of a request may have, in messages: a list, and the one that a
// mistyped word was likely meant to be.
import { joinWithOr } from './format.js';

/** A name that needs more changes than these to be another one is not a mistyped form of that. */
const MOST_CHANGES = 3;

/**
 * Count the characters to insert, remove or replace, and the neighbours to swap:
 * https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance
 */
function changes(from: string, to: string): number {
  /** Row `at`, column `index`: the changes from the first `at` characters to the first `index` ones. */
  const rows = [Array.from({ length: to.length + 1 }, (_, index) => index)];
  const get = (at: number, index: number): number => rows[at]?.[index] ?? Infinity;
  for (let at = 1; at <= from.length; at++) {
    const row = [at];
    rows.push(row);
    for (let index = 1; index <= to.length; index++) {
      const replaced = get(at - 1, index - 1) + (from[at - 1] === to[index - 1] ? 0 : 1);
      const isSwapped = from[at - 1] === to[index - 2] && from[at - 2] === to[index - 1];
      const swapped = isSwapped ? get(at - 2, index - 2) + 1 : Infinity;
      row.push(Math.min(replaced, swapped, get(at - 1, index) + 1, get(at, index - 1) + 1));
    }
  }
  return get(from.length, to.length);
}

/** Return the known name that a mistyped one is likely meant to be. More than half of it must be right. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    // Another length needs changes too. The effort grows with the length, which this bounds.
    .filter((each) => Math.abs(each.length - name.length) <= MOST_CHANGES)
    .map((each) => ({ each, distance: changes(name.toLowerCase(), each.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  return best && best.distance <= MOST_CHANGES && best.distance < best.each.length / 2 ? best.each : undefined;
}

/** Return `; did you mean raw?`, or no text where nothing is near. */
export const suggestion = (given: string, choices: readonly string[]): string => {
  const meant = nearest(given, choices);
  return meant === undefined ? '' : `; did you mean ${meant}?`;
};

/** Say that an argument is none of its choices: `level 'RAW' is unknown: use raw, os or std; did you mean raw?` */
export const unknown = (noun: string, given: string, choices: readonly string[]): string =>
  `${noun} '${given}' is unknown: use ${joinWithOr(choices)}${suggestion(given, choices)}`;

/** Say what a setting must be: `must be json, text or auto; did you mean text?` */
export const mustBe = (given: string, choices: readonly string[]): string =>
  `must be ${joinWithOr(choices)}${suggestion(given, choices)}`;
