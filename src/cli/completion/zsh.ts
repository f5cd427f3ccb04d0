// The completion script for Zsh: a specification of _arguments for each flag and argument.
// https://zsh.sourceforge.io/Doc/Release/Completion-System.html#index-_005farguments
import { BUILT_IN_NAMES } from '../../syscalls/targets/built-in.js';
import { allFlags, type Command, type Flag } from '../command.js';
import { quote, type Words, wordsOf } from './words.js';

/** Return the part of a specification that says what a value may be. */
function action({ words, shell }: Words): string {
  if (shell === 'files after =') return '_syswire_assignment';
  const list = words.length > 0 ? `(${words.join(' ')})` : '';
  if (shell === null) return list || ' ';
  return list === '' ? '_files' : '_syswire_targets_or_files';
}

/** Escape a text for the place between [ and ], or between : and :. */
const escapeText = (text: string): string => text.replaceAll(/[\\[\]:]/g, '\\$&');

function flagSpecs(name: string, flag: Flag): string[] {
  const { value, short, several, negatable, help } = flag;
  const star = several ? '*' : '';
  const end = `[${escapeText(help)}]${value ? `:${escapeText(value)}:${action(wordsOf(flag))}` : ''}`;
  const specs = [`${star}--${name}${value ? '=' : ''}${end}`];
  if (short) specs.push(`${star}-${short}${end}`);
  if (negatable) specs.push(`--no-${name}[do not ${escapeText(help)}]`);
  return specs;
}

function specsOf(command: Command): string {
  const flags = Object.entries(allFlags(command)).flatMap(([name, flag]) => flagSpecs(name, flag));
  const places = command.arguments.map(
    (argument, index) =>
      `${index + 1}:${argument.isOptional ? ':' : ''}${escapeText(argument.name)}:${action(wordsOf(argument))}`,
  );
  const [more] = command.arguments.filter(({ isSeveral }) => isSeveral);
  if (more) places.push(`*:${escapeText(more.name)}:${action(wordsOf(more))}`);
  return [...flags, ...places].map(quote).join(' ');
}

/** @returns a script to evaluate, or to put into a folder of $fpath as _syswire */
export function zshScript(commands: ReadonlyMap<string, Command>): string {
  const summaries = [...commands].map(([name, { summary }]) => quote(`${name}:${escapeText(summary)}`));
  const cases = [...commands].map(([name, command]) => `    ${name}) _arguments -s ${specsOf(command)} ;;`);
  return `#compdef syswire
# Completes command lines of syswire in Zsh. For this shell, below compinit: eval "$(syswire completion zsh)"
_syswire_assignment() {
  if compset -P '*='; then _files; else _message 'NAME=PATH'; fi
}
_syswire_targets_or_files() {
  _alternative 'targets:target:(${BUILT_IN_NAMES.join(' ')})' 'files:file:_files'
}
_syswire() {
  local command=serve
  local -a commands=(${summaries.join(' ')})
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe command commands
    return
  fi
  if [[ $words[2] != -* ]]; then
    command=$words[2]
    shift words
    (( CURRENT-- ))
  fi
  case $command in
${cases.join('\n')}
  esac
}
# Zsh calls it at once when the file is loaded from $fpath.
if [[ $funcstack[1] == _syswire ]]; then _syswire "$@"; else compdef _syswire syswire; fi`;
}
