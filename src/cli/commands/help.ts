// syswire help [COMMAND]: explains a command, the levels or the targets, or lists all commands.
import { LEVEL_IDS } from '../../protocol/names.js';
import { command, EXITS } from '../command.js';
import { describeAll, describeCommand, describeLevel, describeLevels, describeTargets } from '../help.js';
import { COMMAND_NAMES, loadAll } from './index.js';

/** The subjects that can be explained besides the commands. */
const TOPICS: Readonly<Record<string, () => string>> = {
  levels: describeLevels,
  targets: describeTargets,
  ...Object.fromEntries(LEVEL_IDS.map((id) => [id, () => describeLevel(id)])),
};

export const help = command({
  summary: 'list the commands, or explain one, the levels or the targets',
  arguments: [
    {
      name: 'COMMAND',
      noun: 'command',
      help: 'the command to explain, or levels, targets or a level; without it, all commands are listed',
      choices: [...COMMAND_NAMES, ...Object.keys(TOPICS)],
      isOptional: true,
    },
  ],
  flags: {},
  examples: [
    ['syswire help', 'lists the commands and the exit codes'],
    ['syswire help write', 'explains the flags of write'],
    ['syswire help levels', 'says what raw, uring and the others are'],
  ],
  exits: { 0: 'the help was printed', 1: 'the output could not be written', 2: EXITS[2] as string },
  async run({ print }, _values, [name]) {
    const topic = name !== undefined && Object.hasOwn(TOPICS, name) ? TOPICS[name] : undefined;
    if (topic) {
      print(topic());
      return 0;
    }
    const commands = await loadAll();
    const one = name === undefined ? undefined : commands.get(name);
    print(name !== undefined && one ? describeCommand(name, one) : describeAll(commands));
    return 0;
  },
});
