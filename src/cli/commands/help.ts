// syswire help [COMMAND]: explains a command, or lists all of them.
import { command, EXITS } from '../command.js';
import { describeAll, describeCommand } from '../help.js';
import { COMMAND_NAMES, loadAll } from './index.js';

export const help = command({
  summary: 'list the commands, or explain one',
  arguments: [
    {
      name: 'COMMAND',
      noun: 'command',
      help: 'the command to explain; without it, all are listed',
      choices: COMMAND_NAMES,
      isOptional: true,
    },
  ],
  flags: {},
  examples: [
    ['syswire help', 'lists the commands and the exit codes'],
    ['syswire help write', 'explains the flags of write'],
  ],
  exits: { 0: 'the help was printed', 1: 'the output could not be written', 2: EXITS[2] as string },
  async run({ print }, _values, [name]) {
    const commands = await loadAll();
    const one = name === undefined ? undefined : commands.get(name);
    print(name !== undefined && one ? describeCommand(name, one) : describeAll(commands));
    return 0;
  },
});
