// syswire watch: the stream of a running service in a terminal, or as NDJSON for programs.
import { LEVEL_IDS } from '../../../protocol/names.js';
import { CLIENT_FLAGS, CLIENT_HELP, createClient } from '../../client.js';
import type { Command } from '../../command.js';
import { parseFlags } from '../../flags.js';
import { drained, follow } from './follow.js';
import { HEADER, type Look, row } from './row.js';

const HELP = `syswire watch: every call of a running service, as it makes them

  --since SEQ      replay from this record; only what is still to come when not given
  --level LEVEL    only calls at this level: ${LEVEL_IDS.join(', ')}
  --target NAME    only calls to this target
  --request-id ID  only calls of this request
  --errors         only calls that the operating system refused
  --json           the stream's lines as they are, one JSON object each
${CLIENT_HELP}

When the connection is lost it connects again and goes on from the last record it saw; what cannot be had
any more is told as a gap.

exit: 0 stopped by a signal, or nobody reads any more, 2 usage, 3 no answer from the service`;

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
    const look: Look = { colour: isTerminal && out.hasColors(), width: isTerminal ? out.columns : Infinity };
    const texts = values.json
      ? lines.map(({ text }) => text)
      : lines.map((line) => row(line, look)).filter((text) => text !== null);
    if (isFirst && isTerminal && !values.json) texts.unshift(HEADER);
    isFirst = false;
    if (texts.length > 0) out.write(`${texts.join('\n')}\n`);
    await drained(out, signal);
  }
  // What a slow reader has not taken yet would keep the process alive.
  if (broken === undefined) return leave(0);
  // A reader who has seen enough (`syswire watch | head`) is no failure.
  return broken.code === 'EPIPE' ? 0 : fail(1, `standard output: ${broken.message}`);
};
