/** Undoes what a fixture did, also when the program that did it is killed. */

import { endedByPart, startedByPart } from "../helpers/leaks.ts";
import { NO_TEST_MARK } from "./run.ts";

/**
 * A shell that collects commands and runs them, the last one first, when its stdin ends: because the fixture ends, or
 * because the test program is gone in whatever way. It has a process group of its own, so that Ctrl-C leaves it alone.
 */
const SCRIPT = `
trap '' INT TERM HUP PIPE
tree() { for child in $(cat /proc/$1/task/*/children 2>/dev/null); do tree $child; done; echo $1; }
wait_gone() {
  turn=0
  while [ $turn -lt 100 ]; do
    left=
    for one in "$@"; do case "$(cat /proc/$one/stat 2>/dev/null)" in ''|*') Z '*) ;; *) left=1 ;; esac; done
    [ -z "$left" ] && return 0
    turn=$((turn + 1)); sleep 0.05
  done
  echo "still running: $*" >&2; return 1
}
end_tree() {
  grep -aqs -- "$2" /proc/$1/cmdline || return 0
  all=$(tree $1); kill -9 $all 2>/dev/null; wait_gone $all
}
end_marked() {
  all=$(grep -alsxz -- "$1" /proc/[0-9]*/environ | cut -d/ -f3)
  [ -z "$all" ] || { kill -9 $all 2>/dev/null; wait_gone $all; }
}
end_naming() {
  all=$(grep -als -- "$1" /proc/[0-9]*/cmdline | cut -d/ -f3)
  [ -z "$all" ] || { kill -9 $all 2>/dev/null; wait_gone $all; }
}
end_user() {
  turn=0
  while [ $turn -lt 100 ]; do
    all=$(find /proc -maxdepth 1 -user "$1" -name '[0-9]*' 2>/dev/null | cut -d/ -f3)
    [ -z "$all" ] || kill -9 $all 2>/dev/null
    said=$(userdel "$1" 2>&1) && return 0
    case "$said" in *'does not exist'*) return 0 ;; esac
    turn=$((turn + 1)); sleep 0.1
  done
  echo "$said" >&2; return 1
}
end_groups() {
  turn=0
  while [ $turn -lt 100 ]; do
    find /sys/fs/cgroup -depth -type d -path "*/$1*" -exec rmdir {} ';' 2>/dev/null
    [ -n "$(find /sys/fs/cgroup -type d -path "*/$1*" 2>/dev/null)" ] || return 0
    turn=$((turn + 1)); sleep 0.05
  done
  echo "control groups are left: $1" >&2; return 1
}
todo=
while IFS= read -r line; do todo="$line || status=1
$todo"; done
status=0
eval "$todo"
exit $status
`;

/** Keeps what has to be undone. */
export class Keeper implements AsyncDisposable {
  readonly #what: string;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #end: Promise<void> | undefined;

  /** Starts a keeper for the fixture `what`. */
  constructor(what: string) {
    this.#what = what;
    this.#child = new Deno.Command("/bin/sh", {
      args: ["-c", SCRIPT],
      env: NO_TEST_MARK,
      cwd: "/",
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
      detached: true,
    }).spawn();
    startedByPart(this.#child.pid);
    this.#stdin = this.#child.stdin.getWriter();
  }

  /**
   * Takes a shell command of one line, to be run at the end, before those that were given earlier. Give it before the
   * deed that it undoes; it must do no harm when that has not happened. Besides programs there are `end_tree PID WORD`
   * (kills a process, if its command line holds the word, with all below), `end_naming WORD` (all whose command line
   * holds it), `end_marked NAME=VALUE` (all with that in
   * their environment), `end_user NAME` (all of a user, and the user) and `end_groups WORD` (empty control groups whose
   * path has a part that begins so).
   */
  async undo(command: string): Promise<void> {
    if (command.includes("\n")) {
      throw new TypeError(`Cannot keep ${JSON.stringify(command)}: more than one line`);
    }
    await this.#stdin.write(new TextEncoder().encode(`${command}\n`));
  }

  /** Undoes everything; fails with what the commands said if one of them fails. */
  end(): Promise<void> {
    return this.#end ??= this.#finish();
  }

  /** The same as {@linkcode Keeper.end}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  async #finish(): Promise<void> {
    const output = this.#child.output();
    await this.#stdin.close();
    const { success, stderr } = await output;
    endedByPart(this.#child.pid);
    if (success) return;
    throw new Error(`Cannot clean up after ${this.#what}: ${new TextDecoder().decode(stderr).trim()}`);
  }
}

/** A word as a shell takes it literally. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Makes a folder that is gone afterwards. Its path is short, because a socket's path has 108 bytes at most, and others
 * may look into it, because temporary users do.
 */
export async function keptFolder(keeper: Keeper): Promise<string> {
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "xp-" });
  await keeper.undo(`rm -rf --one-file-system ${quoted(folder)}`);
  await Deno.chmod(folder, 0o755);
  return folder;
}
