/** The line of shell that starts Deno elsewhere, so that nothing of it outlives the connection. Pure. */

import { BEAT_FORMAT } from "./beats.ts";
import { farFolder, KEEPER_MARK, killMarked, MARK, PID_MARK, shellWords } from "../process/guard.ts";
import { DENO_ON_PATH, quoteWord } from "../../xspec/mod.ts";

/** What is started. */
export interface FarScriptOptions {
  /** The words of Deno's command without its arguments. */
  deno: readonly string[];
  /** The arguments. */
  args: readonly string[];
  /** Added to the environment. */
  env: Readonly<Record<string, string>>;
  /** The working directory, made if it is missing; relative to where the shell starts. */
  chdir?: string | undefined;
  /** What is added to the scheduling priority. */
  nice?: number | undefined;
  /** The end of the name of a variable of the process, behind {@linkcode MARK}. */
  mark: string;
  /** Whether the process may start others, which are looked for when it has ended. */
  sweep: boolean;
  /** Whether to make a folder that goes with the process, {@linkcode farFolder}; it is done without where that fails. */
  folder?: boolean;
  /** Where a Deno is that was brought there, if there is no other, as a word of shell. */
  provisioned?: string | undefined;
}

/**
 * What `sh -c` is asked to run elsewhere: it reads one line and runs that. What comes behind that line is left in its
 * stdin, because `read` takes byte by byte.
 */
export const READ_LINE = 'read -r x;eval "$x"';

/** The same, for whatever shell reads it: `sh`, `bash`, `zsh`, `fish` or `csh`. */
export const READ_LINE_BY_SH: string = `exec sh -c '${READ_LINE}'`;

/** How often a shell looks whether somebody reads its stderr. */
const BEAT_SECONDS = 2;

/**
 * Passes on what comes, at once. It reads and writes: some make of `cat` asks the kernel to move the bytes (busybox, from a
 * socket to a pipe), and as long as it waits there for the next ones, nobody can read those that have come.
 */
const PASS_ON = "dd bs=131072";

/** Deno was not found. */
export const NO_DENO_CODE = 127;

/**
 * A script in one line, without its newline.
 *
 * - stdin and stdout are the connection: they become descriptors 3 and 4 of Deno. Its own stdin is empty, and what it
 *   prints, on stdout too, goes to stderr.
 * - What comes on stdin passes through `dd`. That ends when the connection ends, whatever Deno does at that moment (a
 *   busy loop, a stopped process), and then the process group is killed. No data passes through the shell.
 * - Where Deno has stopped to read, `dd` does not see the end behind what is still on its way. So a beat goes to stderr
 *   every two seconds; that it cannot be written is the end, too.
 * - When Deno ends, what it has left behind is ended, so that nothing holds the connection; the script ends with Deno's
 *   exit code.
 * - Where stdout is a terminal, as under `srun --unbuffered`, Deno gets a pipe instead, for it takes no terminal.
 * - Where the shell does not lead a process group, as under `sudo`, it makes itself a leader by `setsid`, if there is one.
 * - Where `deno` is not on PATH, `~/.deno/bin` is looked at too.
 */
export function farScript(options: FarScriptOptions): string {
  const { chdir, provisioned, folder } = options;
  const parts: string[] = [folder ? keep(options.mark) : LEAD, `unset x;${DENO_ON_PATH};export PATH`];
  const env = Object.entries(options.env);
  const words = [...env.flat(), chdir ?? "", ...options.deno, ...options.args];
  if (words.some((word) => word.includes("\n"))) parts.push(NEWLINE);
  if (chdir !== undefined) {
    // With "./", `cd` looks in no CDPATH, and "-" is a folder like any other.
    const place = lineWord(chdir.startsWith("/") ? chdir : `./${chdir}`);
    parts.push(`mkdir -p -- ${place}&&cd -- ${place}||exit 1`);
  }
  let deno = lineWords(options.deno);
  if (provisioned !== undefined) {
    parts.push(
      `execnet_d=${
        lineWord(options.deno[0]!)
      };command -v "$execnet_d" >/dev/null 2>&1||{ execnet_d=${provisioned};[ -x "$execnet_d" ]||exit ${NO_DENO_CODE};}`,
    );
    deno = ['"$execnet_d"', ...options.deno.slice(1).map(lineWord)].join(" ");
  }
  const nice = options.nice === undefined ? "" : `nice -n ${options.nice} `;
  // The environment of a shell may hold this script, which must not hold what marked processes are found by.
  parts.push(`execnet_m=${options.mark}`);
  // The script itself needs its own PATH, and its variables' names could be those of the user's.
  const exported = env.map(([name, value]) => ` ${name}=${lineWord(value)}`).join("");
  const marked = `export "${MARK}$execnet_m=1"${exported};`;
  let command = `${deno} ${lineWords(options.args)}`;
  if (options.args.some((arg) => arg.includes(PID_MARK))) {
    // The shell that becomes Deno knows the process id.
    const inner = shellWords(options.args).replaceAll("\n", " ");
    command = `sh -c ${quoteWord(`exec "$@" ${inner}`)} sh ${deno}`;
  }
  const strays = (sparing: "group" | "none"): string => options.sweep ? killMarked(MARK_WORD, sparing) : "";
  const tidy = folder ? `rm -rf ${farFolder("$execnet_m")};` : "";
  const cut = `trap '' TERM;kill -TERM -$$;${strays("group")}${tidy}kill -9 -$$`;
  const watch =
    `{ trap '' PIPE;while sleep ${BEAT_SECONDS}&&printf '${BEAT_FORMAT}' >&5;do :;done;${cut}; } 3<&- 4>&- &`;
  const left = `{ ${PASS_ON} <&3;[ $? -gt 128 ]||{ ${cut};}; } 4>&- 5>&-`;
  // What passes on may just be starting, between having this shell's trap and none: then it has not noticed.
  // The last kill is for the sleep, which alone does not ignore it.
  const again =
    "{ while :;do (trap - TERM;exec sleep 1);kill -TERM -$$;done; } 3<&- 4>&- 5>&- 6>&- 7>&- & execnet_k=$!;" +
    "cat >/dev/null;kill -9 $execnet_k;kill -TERM -$$";
  const ended = `e=$?;trap '' TERM;${strays("none")}${tidy}kill -TERM -$$;${again};kill $execnet_w`;
  const run = `execnet_r(){ ${marked}exec ${nice}${command} 3<&0 </dev/null >&5 2>&5 5>&-;}`;
  const right = (streams: string): string => `{ (${streams}execnet_r);${ended};`;
  const toTerminal = `{ { ${left}|${
    right("exec 4>&6 6>&- 7>&-;")
  }echo $e >&7; }; } 6>&1|${KEEP_ON_CAT}; } 7>&1`;
  if (folder) parts.push(`mkdir -m 700 ${farFolder("$execnet_m")} 2>/dev/null`);
  parts.push(
    run,
    // What is forked with a trap does not notice a signal before it has got rid of that.
    `exec 3<&0 4>&1 5>&2 </dev/null >/dev/null 2>&1;${watch} execnet_w=$!;trap : TERM`,
    `if [ -t 4 ];then e=$(${toTerminal});else ${left}|${right("")}exit $e; };e=$?;fi`,
    "exit $e",
  );
  return parts.join(";");
}

/** It passes on what Deno has written last, though the group is told to end. */
const KEEP_ON_CAT = "(trap '' TERM;exec cat >&4)";

/** The mark, as it is known to the script. */
const MARK_WORD = '"$execnet_m"';

/** A script in one line that kills what carries a mark, over there, and removes its folder; it ends with code 0. */
export function reapScript(mark: string): string {
  return `execnet_m=${mark};${killMarked(MARK_WORD, "none")}rm -rf ${farFolder("$execnet_m")};exit 0`;
}

/** Makes the shell the leader of a process group, so that `$$` names it. */
const LEAD = `[ "$1" ]||kill -0 -$$ 2>/dev/null||{ export x;command -v setsid >/dev/null 2>&1&&${
  again("setsid ")
};}`;

/**
 * The same for a shell that looks after a folder, which gets an environment that tells of it: whoever kills the shell knows
 * what that has left. What it starts does not inherit the variable.
 */
function keep(mark: string): string {
  const name = `${KEEPER_MARK}${mark}`;
  return `[ "$1" ]||{ export x ${name}=1;kill -0 -$$ 2>/dev/null||{ command -v setsid >/dev/null 2>&1&&${
    again("setsid ")
  };};[ \${#x} -gt ${MAX_VARIABLE_CHARS} ]||${again("")};};unset ${name}`;
}

/** Runs the script once more, in a shell that it becomes. */
function again(how: string): string {
  return `exec ${how}sh -c 'eval "$x"' sh 1`;
}

/** A variable of 128 KiB is too long, and a character may take four. */
const MAX_VARIABLE_CHARS = 30_000;

/** A newline, which a line cannot hold otherwise. */
const NEWLINE = "execnet_n=$(printf '\\n_');execnet_n=${execnet_n%_}";

/** A word of shell, in one line. */
export function lineWord(word: string): string {
  return word.split("\n").map(quoteWord).join('"$execnet_n"');
}

function lineWords(words: readonly string[]): string {
  return words.map(lineWord).join(" ");
}
