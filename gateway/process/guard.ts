/** The shell line that starts a process so that nothing of it outlives whoever started it. */

import { DENO_ON_PATH, quoteWord } from "../../xspec/mod.ts";

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
  /** The end of the name of a variable of the process, behind {@linkcode MARK}: whatever inherits it must not outlive it. */
  mark?: string | undefined;
  /**
   * What descriptor 3 is: nothing of the command's (`none`), its link (`descriptor`), or together with 4 what becomes its
   * stdin and its stdout (`streams`); that leaves it its stderr.
   */
  link: "none" | "descriptor" | "streams";
  /** A line of shell that is run before the process is killed; it sees the id of the process as `$$`. */
  farewell?: string | undefined;
}

/**
 * How the names of variables begin that children inherit, also those that leave the process group. Each gateway has one
 * of its own, so that what hangs on it carries its mark, too.
 */
export const MARK = "EXECNET_GATEWAY_";

/** How the name of a variable begins that says the same of the shells which look after a process and its {@linkcode farFolder}. */
export const KEEPER_MARK = "EXECNET_KEEPER_";

/**
 * A POSIX shell script that becomes `command` (`exec`, so its process id and its exit are the shell's own), beside a
 * second, tiny process that does nothing but read stdin, the lifeline. Whoever started the script holds the other end. A
 * line on it tells the command to end, by SIGTERM. When it ends, on purpose or because its holder is gone in whatever
 * way, the whole process group is killed: a busy loop, a stopped process and every child that did not leave the group.
 * With a mark, those that left it too, where the system shows the environments of processes in /proc.
 *
 * - The script must be the leader of a process group (`detached`), so that `$$` names the group.
 * - Without streams for a link, the command's stdin is empty and its stdout is its stderr, so that what it prints keeps
 *   its order.
 * - {@linkcode PID_MARK} in a word of the command becomes the process's id. Where the command is another program that
 *   starts Deno, it is the id of that one.
 * - Where `deno` is not on PATH, `~/.deno/bin` is looked at too.
 */
export function guardScript(command: readonly string[], options: GuardOptions): string {
  const nice = options.nice === undefined ? "" : `nice -n ${options.nice} `;
  const folder = options.folder === undefined ? "" : quoteWord(options.folder);
  const tidy = folder === "" ? "" : `[ -e ${folder} ] && rm -rf ${folder}; `;
  const farewell = options.farewell === undefined ? "" : `${options.farewell}; `;
  const strays = options.mark === undefined ? "" : `kill -9 $$; ${killMarked(quoteWord(options.mark))}`;
  const streams = STREAMS[options.link];
  return `${DENO_ON_PATH}; exec 5<&0; ` +
    `{ exec 3<&- 4>&-; while read -r _; do kill $$; done; ${tidy}${farewell}${strays}kill -9 -$$; } <&5 5<&- >/dev/null 2>&1 & ` +
    `exec ${nice}${shellWords(command)} ${streams} 5<&-`;
}

/** What becomes of the command's descriptors; what belongs to somebody else, e.g. to an agent, is closed. */
const STREAMS: Readonly<Record<GuardOptions["link"], string>> = {
  none: "</dev/null 1>&2 3<&- 4>&-",
  descriptor: "</dev/null 1>&2 4>&-",
  streams: "<&3 >&4 3<&- 4>&-",
};

/** A command as a shell reads it; {@linkcode PID_MARK} becomes the shell's own process id. */
export function shellWords(command: readonly string[]): string {
  return command.map((word) => word.split(PID_MARK).map(quoteWord).join("$$")).join(" ");
}

/** The folder that every system has for what is temporary. */
export const FAR_TEMP_FOLDER = "/tmp";

/** The folder that goes with a process elsewhere, by its mark. */
export function farFolder(mark: string): string {
  return `${FAR_TEMP_FOLDER}/execnet-${mark}`;
}

const SOME_MARK = "\\([0-9a-f]\\{32\\}\\)=.*/\\1/p";

/** Shell text that gives the marks in the environment of process `$p`. */
const MARKS_OF_P = "tr '\\0' '\\n' </proc/$p/environ|" +
  `sed -n -e 's/^${MARK}${SOME_MARK}' -e 's/^${KEEPER_MARK}${SOME_MARK}'`;

/**
 * Shell text that kills whatever carries a mark, and removes the {@linkcode farFolder} of all that was killed: a gateway
 * behind the marked one carries a mark of its own, too, and what would have removed its folder is killed with it. What the
 * shell itself carries is that of gateways which the marked one is behind: they go on. It ends with a blank.
 *
 * @param mark The end of the variable's name as a word of shell; the marked process itself has to be dead, so that it
 * starts nothing more.
 * @param sparing Whether to leave out the process group `$$`.
 */
export function killMarked(mark: string, sparing: "group" | "none" = "group"): string {
  const kill = sparing === "none"
    ? "kill -9 $p"
    : "read -r s </proc/$p/stat && s=${s##*) } && set -- $s && " +
      '[ "$3" != $$ ] && kill -9 $p';
  return `m=; for p in $(grep -slzF ${MARK}${mark}= /proc/[0-9]*/environ); do ` +
    `p=\${p#/proc/}; p=\${p%/environ}; m="$m $(${MARKS_OF_P})"; ${kill}; done; ` +
    `for m in $m; do eval "[ \\"\\$${MARK}$m\\" ]" || rm -rf ${farFolder("$m")}; done; `;
}
