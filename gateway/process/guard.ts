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
}

/**
 * A POSIX shell script that becomes `command` (`exec`, so its process id and its exit are the shell's own), beside a
 * second, tiny process that does nothing but wait for the end of stdin, the lifeline. Whoever started the script holds
 * the other end. When that closes it, or is gone in whatever way, the whole process group is killed: a busy loop, a
 * stopped process and every child that did not leave the group.
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
  const words = command.map((word) => word.split(PID_MARK).map(quoteWord).join("$$")).join(" ");
  return 'PATH="$PATH:$HOME/.deno/bin"; exec 4<&0; ' +
    `{ exec 3<&-; read -r _; ${tidy}kill -9 -$$; } <&4 4<&- >/dev/null 2>&1 & ` +
    `exec ${nice}${words} 4<&- </dev/null 1>&2`;
}
