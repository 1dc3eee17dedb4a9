/** The shell line that starts a process so that nothing of it outlives whoever started it. */

import { quoteWord } from "../../xspec/mod.ts";

/**
 * Stands in a word of a command for the process's id, which is not known before the process is there. No argument of a
 * process can hold this character otherwise.
 */
export const PID_MARK = "\0";

/** How the guarded process runs. */
export interface GuardOptions {
  /** What is added to its scheduling priority. */
  nice?: number | undefined;
  /** A folder that must not outlive the process. */
  folder?: string | undefined;
  /** The value of {@linkcode MARK} in the environment of the process: whatever inherits it must not outlive it. */
  mark?: string | undefined;
}

/** A variable that children inherit, also those that leave the process group. */
export const MARK = "EXECNET_GATEWAY";

/**
 * A POSIX shell script that becomes `command` (`exec`, so its process id and its exit are the shell's own), beside a
 * second, tiny process that does nothing but wait for the end of stdin, the lifeline. Whoever started the script holds
 * the other end. When that closes it, or is gone in whatever way, the whole process group is killed: a busy loop, a
 * stopped process and every child that did not leave the group. With a mark, those that left it too, where the system
 * shows the environments of processes in /proc.
 *
 * - The script must be the leader of a process group (`detached`), so that `$$` names the group.
 * - The command's stdin is empty and its stdout is its stderr, so that what it prints keeps its order. Descriptor 3
 *   stays as it is.
 * - {@linkcode PID_MARK} in a word of the command becomes the process's id. Where the command is another program that
 *   starts Deno, it is the id of that one.
 * - Where `deno` is not on PATH, `~/.deno/bin` is looked at too.
 */
export function guardScript(command: readonly string[], options: GuardOptions = {}): string {
  const nice = options.nice === undefined ? "" : `nice -n ${options.nice} `;
  const folder = options.folder === undefined ? "" : quoteWord(options.folder);
  const tidy = folder === "" ? "" : `[ -e ${folder} ] && rm -rf ${folder}; `;
  const strays = options.mark === undefined ? "" : killMarked(options.mark);
  const words = command.map((word) => word.split(PID_MARK).map(quoteWord).join("$$")).join(" ");
  return 'PATH="$PATH:$HOME/.deno/bin"; exec 4<&0; ' +
    `{ exec 3<&-; read -r _; ${tidy}${strays}kill -9 -$$; } <&4 4<&- >/dev/null 2>&1 & ` +
    `exec ${nice}${words} 4<&- </dev/null 1>&2`;
}

/** Kills the process itself, so that it starts nothing more, and then what carries its mark in other process groups. */
function killMarked(mark: string): string {
  return `kill -9 $$; for p in $(grep -slF ${quoteWord(`${MARK}=${mark}`)} /proc/[0-9]*/environ); do ` +
    "p=${p#/proc/}; p=${p%/environ}; read -r s </proc/$p/stat && s=${s##*) } && set -- $s && " +
    '[ "$3" != $$ ] && kill -9 $p; done; ';
}
