// The completion script for Bash, which has no descriptions: its words, and where each of them may stand.
// https://www.gnu.org/software/bash/manual/html_node/Programmable-Completion.html
import { allFlags, type Command } from '../command.js';
import { quote, type Words, wordsOf } from './words.js';

/** Return the commands that complete `$cur`. */
function reply({ words, shell }: Words): string {
  const commands = words.length > 0 ? [`_syswire_words ${quote(words.join(' '))}`] : [];
  if (shell === 'files') commands.push('_syswire_files');
  if (shell === 'files after =') commands.push('[[ -n $is_assigned ]] && _syswire_files');
  return commands.join('; ') || ':';
}

function cases(commands: ReadonlyMap<string, Command>): { values: string[]; flags: string[]; places: string[] } {
  const values: string[] = [];
  const flags: string[] = [];
  const places: string[] = [];
  for (const [name, command] of commands) {
    const all = Object.entries(allFlags(command));
    for (const [flag, table] of all)
      if (table.value) values.push(`    ${name}:--${flag}) ${reply(wordsOf(table))}; return ;;`);
    const spellings = all.flatMap(([flag, { negatable }]) => [`--${flag}`, ...(negatable ? [`--no-${flag}`] : [])]);
    flags.push(`    ${name}) _syswire_words ${quote(spellings.join(' '))} ;;`);
    for (const [place, argument] of command.arguments.entries())
      places.push(`    ${name}:${argument.isSeveral ? '*' : place}) ${reply(wordsOf(argument))} ;;`);
  }
  return { values, flags, places };
}

/** @returns a script that defines `_syswire` and registers it */
export function bashScript(commands: ReadonlyMap<string, Command>): string {
  const { values, flags, places } = cases(commands);
  const takesValue = values.map((line) => line.trim().split(')')[0]).join('|');
  return `# Completes command lines of syswire in Bash 4 or later. For this shell: eval "$(syswire completion bash)"
_syswire_words() { mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$1" -- "$cur"); }
_syswire_files() {
  # The option works only while Bash completes.
  compopt -o filenames 2>/dev/null
  mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
}
_syswire() {
  local cur=\${COMP_WORDS[COMP_CWORD]} last=$((COMP_CWORD - 1)) command=serve first=1 place=0 is_assigned= at flag
  COMPREPLY=()
  if (( COMP_CWORD > 1 )) && [[ \${COMP_WORDS[1]} != -* ]]; then
    command=\${COMP_WORDS[1]} first=2
  fi
  # Bash splits --target=name=path at each =, which is a word of its own.
  if [[ $cur == = ]]; then
    cur= is_assigned=1
  elif [[ \${COMP_WORDS[last]} == = ]]; then
    is_assigned=1 last=$((last - 1))
  fi
  flag=\${COMP_WORDS[last]}
  if [[ -n $is_assigned && $flag != -* ]]; then
    while (( last > first )) && [[ \${COMP_WORDS[last]} != -* ]]; do last=$((last - 1)); done
    flag=\${COMP_WORDS[last]}
  fi
  case $command:$flag in
${values.join('\n')}
  esac
  if [[ $cur == -* ]]; then
    case $command in
${flags.join('\n')}
    esac
    return
  fi
  if (( COMP_CWORD == 1 )); then
    _syswire_words ${quote([...commands.keys()].join(' '))}
    return
  fi
  for (( at = first; at < COMP_CWORD; at++ )); do
    case $command:\${COMP_WORDS[at]} in
      ${takesValue}) at=$((at + 1)); [[ \${COMP_WORDS[at]} == = ]] && at=$((at + 1)) ;;
      *:-*) ;;
      *) place=$((place + 1)) ;;
    esac
  done
  case $command:$place in
${places.join('\n')}
  esac
}
complete -F _syswire syswire`;
}
