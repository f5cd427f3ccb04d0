// Runs a command: parses its command line, and answers --help and --version, which all commands have.
import { type Cli, type Command, Refused, UsageError, type Values } from './command.js';
import { inFlags, parseCommandLine } from './flags.js';

/** @param args the command line behind the command's name @returns the exit code @throws what the command throws */
export async function runCommand(name: string, command: Command, cli: Cli, args: string[]): Promise<number> {
  const { values, words } = parseCommandLine(name, command, args);
  if (values.help) cli.print((await import('./help.js')).describeCommand(name, command));
  else if (values.version) cli.print((await import('../server/version.js')).VERSION);
  else
    try {
      return await command.run(cli, values as Values, words);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw new UsageError(error.mistakes.map((mistake) => inFlags(mistake, command.flags, values)).join('; '));
    }
  return 0;
}
