/** What was typed before: a file of lines, the newest last. */

/** Lines that are kept. */
const MAX_LINES = 1000;

/** The file is written anew when it has grown to so many times that. */
const SLACK = 2;

/** Reads and adds to the history. A file that cannot be read or written is no history, and no error. */
export class History {
  /** The lines that there were, the oldest first. */
  readonly lines: readonly string[];
  readonly #path: string | undefined;
  #last: string | undefined;

  /** Reads the file of this user, as the environment says where it is. */
  static async open(env: (name: string) => string | undefined = Deno.env.get): Promise<History> {
    const path = historyPath(env);
    if (path === undefined) return new History(undefined, []);
    const text = await Deno.readTextFile(path).catch(() => "");
    const all = text.split("\n").filter((line) => line !== "");
    const lines = all.slice(-MAX_LINES);
    const history = new History(path, lines);
    try {
      await Deno.mkdir(path.replace(/[^/\\]*$/, "") || ".", { recursive: true, mode: 0o700 });
      if (all.length > SLACK * MAX_LINES) await replace(path, lines.map((line) => `${line}\n`).join(""));
      // What is typed may be secret, whoever has made the file.
      else if (text !== "" && Deno.build.os !== "windows") await Deno.chmod(path, 0o600);
    } catch {
      // See above.
    }
    return history;
  }

  private constructor(path: string | undefined, lines: readonly string[]) {
    this.#path = path;
    this.lines = lines;
    this.#last = lines.at(-1);
  }

  /** Adds a line, but an empty one, and one like that before. */
  async add(line: string): Promise<void> {
    if (this.#path === undefined || line.trim() === "" || line === this.#last) return;
    this.#last = line;
    try {
      await Deno.writeTextFile(this.#path, `${line}\n`, { append: true, mode: 0o600 });
    } catch {
      // See above.
    }
  }
}

/** Whether the user does not want an input that begins with this line to be kept. */
export function isSecret(line: string): boolean {
  return line.startsWith(" ");
}

/** Puts another file in the place of one. */
async function replace(path: string, text: string): Promise<void> {
  const next = `${path}.${Deno.pid}`;
  await Deno.writeTextFile(next, text, { mode: 0o600 });
  await Deno.rename(next, path);
}

/** `EXECNET_HISTORY`, none where that is empty; else a file in the folder for what programs keep of a user's doings. */
export function historyPath(env: (name: string) => string | undefined): string | undefined {
  const own = env("EXECNET_HISTORY");
  if (own !== undefined) return own === "" ? undefined : own;
  const state = env("XDG_STATE_HOME");
  // The specification says to ignore relative ones.
  if (state?.startsWith("/")) return `${state}/execnet/repl_history`;
  const home = env("HOME") ?? env("USERPROFILE");
  return home ? `${home}/.local/state/execnet/repl_history` : undefined;
}
