// syswire [serve]: the service. Only run.ts loads it, so that --help and completion are quick.
import { command } from '../../command.js';
import { FLAGS } from '../../config.js';

export const serve = command({
  summary: 'start the service, which makes the calls',
  arguments: [],
  flags: FLAGS,
  details: `Each flag has an environment variable: --log-level is SYSWIRE_LOG_LEVEL, --no-faults is SYSWIRE_FAULTS=false.
The variable of a repeatable flag takes one value per line. The log warns about SYSWIRE_ variables that it
does not know, and about a SYSWIRE_PORT that Kubernetes set, tcp://...

SIGTERM, SIGINT or SIGHUP stops the service within 5 s; waiting writes get 3.5 s of them. A second signal
ends it at once. nohup does not keep it from SIGHUP: use setsid, tmux, systemd-run or a container.
SIGUSR1 opens the file of --record again, after a rotation.`,
  examples: [
    ['syswire', 'listens at http://127.0.0.1:8080; clients write to its standard output'],
    ['syswire --port 9000 --target log=/tmp/log --record records', 'has a file as a further target, and keeps records'],
  ],
  exits: { 0: 'a signal stopped it', 1: 'it could not start, or failed', 2: 'wrong usage' },
  run: async (cli, values) => (await import('./run.js')).runService(cli, values),
});
