// syswire completion SHELL: prints a script that completes command lines of syswire.
import { command, EXITS } from '../command.js';
import { bashScript } from '../completion/bash.js';
import { zshScript } from '../completion/zsh.js';
import { loadAll } from './index.js';

const SCRIPTS = { bash: bashScript, zsh: zshScript };

export const completion = command({
  summary: 'print a script that completes command lines in a shell',
  arguments: [{ name: 'SHELL', noun: 'shell', help: 'bash or zsh', choices: Object.keys(SCRIPTS) }],
  flags: {},
  details: `It completes commands, flags, their values, levels, the targets that every service has, and files. For all new
shells: put the line of the first example into ~/.bashrc, or that of the second into ~/.zshrc, below compinit.`,
  examples: [
    ['eval "$(syswire completion bash)"', 'completes in this Bash from now on'],
    ['eval "$(syswire completion zsh)"', 'the same for Zsh'],
  ],
  exits: { 0: 'the script was printed', 1: 'the output could not be written', 2: EXITS[2] as string },
  async run({ print }, _values, [shell]) {
    print(SCRIPTS[shell as keyof typeof SCRIPTS](await loadAll()));
    return 0;
  },
});
