// syswire watch: shows the stream of a running service in a terminal, or prints it as NDJSON for programs.
import { joinWithOr } from '../../../protocol/format.js';
import { LEVEL_IDS } from '../../../protocol/names.js';
import { CLIENT_FLAGS, createClient, NO_ANSWER } from '../../client.js';
import { hasColours } from '../../colours.js';
import { command, EXITS } from '../../command.js';
import { drained, follow, type Line } from './follow.js';
import { header, type Look, row, rowsBelow } from './row.js';

const STDOUT = 1;

export const watch = command({
  summary: 'show every call of a running service as it happens',
  arguments: [],
  flags: {
    since: { value: 'SEQ', field: 'since', help: 'start at this record; without it, show only new calls' },
    level: { value: 'LEVEL', help: `show only calls at this level: ${joinWithOr(LEVEL_IDS)}`, choices: LEVEL_IDS },
    target: { value: 'NAME', field: 'target', help: 'show only calls to this target', completes: 'target' },
    'request-id': { value: 'ID', field: 'requestId', help: 'show only calls of this request' },
    errors: { help: 'show only calls that the operating system refused' },
    verbose: { short: 'v', help: 'show below each row the system calls that a witness saw' },
    json: { help: 'print the lines of the stream unchanged, one JSON object per line' },
    ...CLIENT_FLAGS,
  },
  details: `After a lost connection watch connects again, and continues after the last record it received. If the
service no longer has some of the records, watch prints a gap: their numbers. The names of the
columns stand above the calls in a terminal only.

The calls of syswire write --witness and burst --witness have a witness, and all calls of a service that was
started with --witness. An exclamation mark stands before a verdict that does not agree.`,
  examples: [
    ['syswire watch --since 1', 'shows every call so far, and those that follow'],
    ['syswire watch -v', 'shows new calls, and the system calls that a witness saw of them'],
    ['syswire watch --errors --json > refused', 'keeps what the operating system refuses, one JSON object per line'],
  ],
  exits: {
    0: 'a signal stopped it, or its reader closed the pipe',
    1: 'its output could not be written',
    2: EXITS[2] as string,
    3: NO_ANSWER,
  },
  async run({ env, note, fail, stdout, leave, untilSignal }, values) {
    const { level, target, 'request-id': requestId, errors, since } = values;
    const filters = Object.fromEntries(
      Object.entries({ level, target, requestId, errors: errors ? '1' : undefined }).filter(([, value]) => value),
    ) as Record<string, string>;
    const client = createClient(values, env);

    const out = stdout();
    const isTerminal = out.isTTY ?? false;
    const colour = hasColours(STDOUT, env);
    const ended = new AbortController();
    const signal = AbortSignal.any([untilSignal(), ended.signal]);
    let broken: NodeJS.ErrnoException | undefined;
    out.on('error', (error) => {
      broken = error;
      ended.abort();
    });

    let isFirst = true;
    for await (const lines of follow({ client, since, filters, onNote: (line) => note(`syswire: ${line}`), signal })) {
      const look: Look = { colour, width: (isTerminal && out.columns) || Infinity };
      const rows = (line: Line) => [row(line, look), ...(values.verbose ? rowsBelow(line, look) : [])];
      const texts = values.json ? lines.map(({ text }) => text) : lines.flatMap(rows).filter((text) => text !== null);
      if (isFirst && isTerminal && !values.json) texts.unshift(header(look));
      isFirst = false;
      if (texts.length > 0) out.write(`${texts.join('\n')}\n`);
      await drained(out, signal);
    }
    // Output that a slow reader has not taken yet would keep the process alive.
    if (broken === undefined) return leave(0);
    // A reader that closes the pipe (`syswire watch | head`) has seen enough: this is not a failure.
    return broken.code === 'EPIPE' ? 0 : fail(1, `standard output: ${broken.message}`);
  },
});
