// The run: one start of the service, and the lines that begin and end it, on the stream and in the record file.
import type { End, Hello } from '../../protocol/records.js';
import type { Journal } from './journal.js';

/** One start of the service. `started` is in milliseconds since 1970. */
export type ServiceRun = { run: string; pid: number; started: number; host: string; version: string };

export const helloLine = (service: ServiceRun, journal: Journal): string =>
  JSON.stringify({ type: 'hello', ...service, oldest: journal.oldest(), next: journal.next() } satisfies Hello);

/** Returns the last line of a run. Call it when no more calls are made. */
export const endLine = ({ run }: ServiceRun, journal: Journal): string =>
  JSON.stringify({ type: 'end', run, last: journal.next() - 1 } satisfies End);
