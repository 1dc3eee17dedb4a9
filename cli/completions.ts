/** `execnet completions`: scripts that complete command lines in shells. */

import { optionsOf } from "./arguments.ts";
import type { Command, Option } from "./command.ts";
import { EXIT, UsageError } from "./failure.ts";

/** The shells there is a script for. */
const SHELLS: Readonly<Record<string, (commands: readonly Command[]) => string>> = { bash, zsh, fish };

/** The command, for a list of commands which it completes. */
export function completions(commands: () => readonly Command[]): Command {
  return {
    name: "completions",
    summary: "prints a script that completes command lines in bash, zsh or fish",
    usage: "(bash | zsh | fish)",
    description: "Prints a script for the shell, which completes commands, options, and the names of files.",
    options: [],
    examples: [
      ["execnet completions bash > ~/.local/share/bash-completion/completions/execnet", "for bash"],
      [
        "execnet completions zsh > ~/.zfunc/_execnet",
        "for zsh, with fpath+=~/.zfunc before compinit in .zshrc",
      ],
      ["execnet completions fish > ~/.config/fish/completions/execnet.fish", "for fish"],
    ],
    words: [1, 1],
    async run({ words: [shell] }, terminal): Promise<number> {
      const script = Object.hasOwn(SHELLS, shell!) ? SHELLS[shell!] : undefined;
      if (script === undefined) {
        throw new UsageError(
          `There are scripts for ${Object.keys(SHELLS).join(", ")}, not for "${shell}"`,
          "completions",
        );
      }
      await terminal.write(script(commands()));
      return EXIT.ok;
    },
  };
}

function flagsOf(option: Option): string[] {
  return option.short === undefined ? [`--${option.name}`] : [`-${option.short}`, `--${option.name}`];
}

function bash(commands: readonly Command[]): string {
  const cases = commands.map((command) =>
    `    ${command.name}) words="${optionsOf(command).flatMap(flagsOf).join(" ")}" ;;`
  );
  return `_execnet() {
  local word=\${COMP_WORDS[COMP_CWORD]} words
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} help --help --version" -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join("\n")}
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _execnet execnet
`;
}

/** A text within single quotes, where a colon ends a name and brackets a description. */
function zshText(text: string): string {
  return text.replaceAll("'", "'\\''").replace(/[:[\]\\]/g, "\\$&");
}

function zsh(commands: readonly Command[]): string {
  const spec = (option: Option): string[] =>
    flagsOf(option).map((flag) => {
      const repeat = option.repeatable ? "*" : "";
      const value = option.value === undefined ? "" : `:${zshText(option.value)}:_files`;
      return `'${repeat}${flag}[${zshText(option.tells)}]${value}'`;
    });
  const names = commands.map(({ name, summary }) => `'${name}:${zshText(summary)}'`);
  const cases = commands.map((command) =>
    `    ${command.name}) _arguments -s ${optionsOf(command).flatMap(spec).join(" ")} '*:file:_files' ;;`
  );
  return `#compdef execnet
_execnet() {
  if (( CURRENT == 2 )); then
    local -a commands=(${names.join(" ")})
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
# Sourced, or loaded by compinit.
if [ "$funcstack[1]" = _execnet ]; then _execnet "$@"; else compdef _execnet execnet; fi
`;
}

function fish(commands: readonly Command[]): string {
  const text = (words: string): string => `'${words.replace(/['\\]/g, "\\$&")}'`;
  return [
    ...commands.map(({ name, summary }) =>
      `complete -c execnet -n __fish_use_subcommand -f -a ${name} -d ${text(summary)}`
    ),
    ...commands.flatMap((command) =>
      optionsOf(command).map(({ name, short, value, tells }) =>
        [
          `complete -c execnet -n '__fish_seen_subcommand_from ${command.name}' -l ${name}`,
          ...(short === undefined ? [] : [`-s ${short}`]),
          ...(value === undefined ? [] : ["-r"]),
          `-d ${text(tells)}`,
        ].join(" ")
      )
    ),
    "",
  ].join("\n");
}
