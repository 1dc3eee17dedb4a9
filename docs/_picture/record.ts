/** Runs what the picture shows, at a real terminal, and notes what there was to be seen. */

import { plain, type Run, Screen } from "./screen.ts";
import { writeSample } from "./sample.ts";

/** What was to be seen at a time. */
export interface Frame {
  readonly rows: readonly Run[][];
  readonly cursor: { readonly row: number; readonly column: number };
  /** Seconds from the beginning. */
  readonly at: number;
  /** For how long what is new in it was typed; 0 for what a program wrote. */
  readonly typing: number;
}

/** The width of the terminal. */
export const COLUMNS = 95;

const ROOT = new URL("../../", import.meta.url);

/** What is typed at the prompt of the second scene. */
const INPUTS = [
  'const log: string = await Deno.readTextFile("logs/mail-1.log")',
  'log.split("\\n").filter((line) => line.includes("refused")).length',
  'await Deno.remove("logs", { recursive: true })',
];

const SECONDS_PER_KEY = 0.028;
const SECONDS_PER_PROGRESS = 0.11;
const MAX_PROGRESS = 12;
const PAUSE_SECONDS = 0.45;

/** The frames of the picture. Times are made up, so that they are the same each time. */
export async function record(): Promise<Frame[]> {
  const home = await Deno.realPath(await Deno.makeTempDir({ prefix: "execnet-picture-" }));
  try {
    await writeSample(`${home}/logs`);
    const film = new Film();
    await film.program("~/execnet", "deno run -A examples/demo.ts ~/logs", home, ROOT.pathname);
    film.screen.write("\r\n");
    await film.prompt("~", "execnet repl popen//allow-read=logs", home, home);
    return film.frames;
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

class Film {
  readonly frames: Frame[] = [];
  readonly screen: Screen = new Screen(COLUMNS);
  #at = 0;

  /** A program that ends by itself. */
  async program(folder: string, command: string, home: string, cwd: string): Promise<void> {
    this.#command(folder, command);
    const terminal = new Terminal(command, home, cwd);
    const output = await terminal.ended();
    // Each carriage return that is no end of a line begins another state of the same line.
    const states = output.split(/\r(?!\n)/);
    const kept = states.filter((_, index) =>
      index === states.length - 1 || index % Math.ceil(states.length / MAX_PROGRESS) === 1
    );
    for (const state of kept) {
      const end = state.indexOf("\n");
      this.screen.write(`\r${end < 0 ? state : state.slice(0, end)}`);
      this.#frame(SECONDS_PER_PROGRESS);
      if (end >= 0) this.screen.write(state.slice(end));
    }
    this.#frame(2 * PAUSE_SECONDS);
  }

  /** A prompt at which is typed. */
  async prompt(folder: string, command: string, home: string, cwd: string): Promise<void> {
    this.#command(folder, command);
    await using terminal = new Terminal(command, home, cwd);
    const look = async (part: string): Promise<void> => this.screen.write(await terminal.until(part));
    await look("\x1b[3G");
    this.#frame(PAUSE_SECONDS);
    for (const input of INPUTS) {
      await terminal.type(input);
      while (!plain(this.screen.rows().at(-1)!).endsWith(input)) await look(input.at(-1)!);
      this.#frame(PAUSE_SECONDS / 2, input.length * SECONDS_PER_KEY);
      await terminal.type("\r");
      await look("\x1b[3G");
      this.#frame(PAUSE_SECONDS);
    }
    await terminal.type("\x04");
  }

  #command(folder: string, command: string): void {
    this.screen.write(`\x1b[36m${folder}\x1b[0m \x1b[2m$\x1b[0m `);
    this.#frame(PAUSE_SECONDS);
    this.screen.write(command);
    this.#frame(PAUSE_SECONDS / 2, command.length * SECONDS_PER_KEY);
    this.screen.write("\r\n");
  }

  /** Notes what is to be seen now, for some seconds. */
  #frame(seconds: number, typing = 0): void {
    const at = Math.round(this.#at * 100) / 100;
    this.frames.push({ rows: this.screen.rows(), cursor: this.screen.cursor, at, typing });
    this.#at += typing + seconds;
  }
}

/** A command at a terminal of its own, as a user has one who has installed the command. */
class Terminal implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(command: string, home: string, cwd: string) {
    const deno = Deno.execPath();
    const shell = `stty cols ${COLUMNS} rows 60; deno() { shift; '${deno}' run --quiet "$@"; }; ` +
      `execnet() { deno run -A '${ROOT.pathname}cli.ts' "$@"; }; ${command}`;
    this.#child = new Deno.Command("script", {
      args: ["--quiet", "--return", "--command", shell, "/dev/null"],
      cwd,
      env: {
        HOME: home,
        DENO_DIR: cacheFolder(),
        SHELL: "/bin/sh",
        TERM: "xterm",
        NO_COLOR: "",
        EXECNET_HISTORY: "",
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async type(text: string): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(text));
  }

  /** All that comes up to and with a text. */
  async until(part: string): Promise<string> {
    while (!this.#rest.includes(part)) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`The program ended before ${JSON.stringify(part)}: ${this.#rest}`);
      this.#rest += value;
    }
    const end = this.#rest.indexOf(part) + part.length;
    const text = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end);
    return text;
  }

  /** All that is left, up to the end of the program. */
  async ended(): Promise<string> {
    while (true) {
      const { value, done } = await this.#output.read();
      if (done) break;
      this.#rest += value;
    }
    await this.#keys.close().catch(() => {});
    const { code } = await this.#child.status;
    if (code !== 0) throw new Error(`The program ended with code ${code}: ${this.#rest}`);
    return this.#rest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ended();
  }
}

/** Where this Deno has what it has loaded: the other one has another home. */
function cacheFolder(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
