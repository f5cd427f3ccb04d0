// Every command. Each is imported when it is chosen, so that `syswire call` starts without loading the server.
import type { Command } from '../command.js';

export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve/serve.js')).serve,
  write: async () => (await import('./write.js')).write,
  burst: async () => (await import('./burst.js')).burst,
  watch: async () => (await import('./watch/watch.js')).watch,
  call: async () => (await import('./call.js')).call,
  probe: async () => (await import('./probe.js')).probe,
  reconcile: async () => (await import('./reconcile/reconcile.js')).reconcile,
  help: async () => (await import('./help.js')).help,
  completion: async () => (await import('./completion.js')).completion,
};

export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

/** Load the tables of all commands, in the order in which they are listed. */
export const loadAll = async (): Promise<Map<string, Command>> =>
  new Map(
    await Promise.all(
      Object.entries(COMMANDS).map(async ([name, load]): Promise<[string, Command]> => [name, await load()]),
    ),
  );
