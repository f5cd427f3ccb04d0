// syswire watch: shows the stream of a running service in a terminal, or prints it as NDJSON for programs.
import { LEVEL_IDS } from '../../../protocol/names.js';
import { CLIENT_FLAGS, CLIENT_HELP, createClient } from '../../client.js';
import type { Command } from '../../command.js';
import { parseFlags } from '../../flags.js';
import { drained, follow } from './follow.js';
import { HEADER, type Look, row } from './row.js';

const HELP = `syswire watch: show every call of a running service as it happens

  --since SEQ      start at this record; without it, show only new calls
  --level LEVEL    show only calls at this level: ${LEVEL_IDS.join(', ')}
  --target NAME    show only calls to this target
  --request-id ID  show only calls of this request
  --errors         show only calls that the operating system refused
  --json           print the lines of the stream unchanged, one JSON object per line
${CLIENT_HELP}

After a lost connection watch connects again, and continues after the last record it received. If the
service no longer has some of the records, watch prints a gap: the numbers of the lost records.

exit: 0 a signal stopped it, or its reader closed the pipe, 1 its output could not be written, 2 wrong usage,
      3 the service did not answer`;

export const watch: Command = async ({ args, env, print, note, fail, stdout, leave, untilSignal }) => {
  const { values } = parseFlags({
    args,
    options: {
      since: { type: 'string' },
      level: { type: 'string' },
      'request-id': { type: 'string' },
      errors: { type: 'boolean' },
      ...CLIENT_FLAGS,
    },
  });
  if (values.help) {
    print(HELP);
    return 0;
  }
  const { level, target, 'request-id': requestId, errors, since } = values;
  const filters = Object.fromEntries(
    Object.entries({ level, target, requestId, errors: errors ? '1' : undefined }).filter(([, value]) => value),
  ) as Record<string, string>;
  const client = createClient(values, env);

  const out = stdout();
  const isTerminal = out.isTTY ?? false;
  const ended = new AbortController();
  const signal = AbortSignal.any([untilSignal(), ended.signal]);
  let broken: NodeJS.ErrnoException | undefined;
  out.on('error', (error) => {
    broken = error;
    ended.abort();
  });

  let isFirst = true;
  for await (const lines of follow({ client, since, filters, onNote: (line) => note(`syswire: ${line}`), signal })) {
    const look: Look = { colour: isTerminal && out.hasColors(), width: (isTerminal && out.columns) || Infinity };
    const texts = values.json
      ? lines.map(({ text }) => text)
      : lines.map((line) => row(line, look)).filter((text) => text !== null);
    if (isFirst && isTerminal && !values.json) texts.unshift(HEADER);
    isFirst = false;
    if (texts.length > 0) out.write(`${texts.join('\n')}\n`);
    await drained(out, signal);
  }
  // Output that a slow reader has not taken yet would keep the process alive.
  if (broken === undefined) return leave(0);
  // A reader that closes the pipe (`syswire watch | head`) has seen enough: this is not a failure.
  return broken.code === 'EPIPE' ? 0 : fail(1, `standard output: ${broken.message}`);
};
