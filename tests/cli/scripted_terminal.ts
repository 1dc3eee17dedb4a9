/** A terminal for commands that run in the test's own process, and the command itself as a process. */

import { run } from "../../cli/main.ts";
import { styleFor } from "../../cli/style.ts";
import type { Terminal } from "../../cli/terminal.ts";
import { TextTap } from "../helpers/wait.ts";

/** What a command line has done. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** How a command line is run. */
export interface RunOptions {
  /** Standard input: text, or a stream of pieces. */
  readonly input?: string | ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Gets what is written; throwing is a broken pipe. */
  readonly write?: (text: string) => Promise<void>;
  /** Ends it. */
  readonly signal?: AbortSignal;
}

/** Runs a command line in this process. */
export async function execnet(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const outcome = { out: "", err: "" };
  const { input = "" } = options;
  const terminal: Terminal = {
    input: typeof input === "string" ? new Blob([input]).stream() : input,
    inputIsTerminal: false,
    outputIsTerminal: false,
    errorIsTerminal: false,
    style: styleFor(false),
    errorStyle: styleFor(false),
    signal: options.signal ?? new AbortController().signal,
    async write(text): Promise<void> {
      await options.write?.(text);
      outcome.out += text;
    },
    async writeBytes(bytes): Promise<void> {
      await this.write(new TextDecoder().decode(bytes));
    },
    tell: (line) => void (outcome.err += `${line}\n`),
  };
  const code = await run(args, terminal);
  return { code, ...outcome };
}

const CLI = new URL("../../cli.ts", import.meta.url);

/** The command line of `cli.ts`, as a shell takes it. */
export function shellLine(args: readonly string[]): string {
  const words = [Deno.execPath(), "run", "--quiet", "--no-check", "-A", CLI.pathname, ...args];
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}

/** How a shell runs. */
export interface ShellOptions {
  /** What is added to its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** With `piped`, its standard input is open and silent until its end. */
  readonly stdin?: "null" | "piped";
}

/** A shell that runs a script, with all that it prints. */
export class Shell implements AsyncDisposable {
  readonly process: Deno.ChildProcess;
  readonly stdout: TextTap;
  readonly stderr: TextTap;
  readonly #piped: boolean;

  /** Starts it. */
  constructor(script: string, { env = {}, stdin = "null" }: ShellOptions = {}) {
    this.process = new Deno.Command("sh", {
      args: ["-c", script],
      stdin,
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", ...env },
    }).spawn();
    this.#piped = stdin === "piped";
    this.stdout = new TextTap(this.process.stdout);
    this.stderr = new TextTap(this.process.stderr);
  }

  /** Waits for its end. */
  async ended(): Promise<Outcome> {
    const { code } = await this.process.status;
    await Promise.all([this.stdout.ended, this.stderr.ended]);
    return { code, out: this.stdout.text, err: this.stderr.text };
  }

  /** Kills it, if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#piped) await this.process.stdin.close().catch(() => {});
    try {
      this.process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.ended();
  }
}
