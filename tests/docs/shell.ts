/** Runs commands as a user does who sees stdout and stderr in one terminal, and services beside them. */

import { within } from "../helpers/bounded.ts";
import type { Place } from "./world.ts";

/** The longest brings a Deno to a host. */
const LIMIT_MS = 180_000;
const END_LIMIT_MS = 10_000;

/** What a command did. */
export interface Done {
  /** Its exit code. */
  readonly code: number;
  /** What it has printed on stdout. */
  readonly printed: string;
  /** What it has printed besides. */
  readonly aside: string;
}

/** A folder and an environment to run commands in. */
export class Shell implements AsyncDisposable {
  readonly #folder: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #services: { readonly child: Deno.ChildProcess; readonly output: Promise<string[]> }[] = [];

  /** Nothing is run yet. */
  constructor(folder: string, env: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.#env = env;
  }

  /**
   * Runs a command to its end. With `merged` all that it prints is in `printed`, in its order, as in a terminal; that
   * may put a line of stderr into one of stdout.
   */
  async run(command: readonly string[], place: Place, where: string, merged: boolean): Promise<Done> {
    const child = this.#spawn(command, place, merged);
    const output = Promise.all([read(child.stdout), read(child.stderr)]);
    try {
      const { code } = await within(LIMIT_MS, where, child.status);
      const [printed, aside] = await output;
      return { code, printed, aside };
    } catch (error) {
      end(child, "SIGKILL");
      throw new Error(`${where} has not ended, but printed:\n${(await output).join("")}`, { cause: error });
    }
  }

  /** Starts a service and waits until it has printed `text`. */
  async serve(command: readonly string[], place: Place, text: string, where: string): Promise<void> {
    const child = this.#spawn(command, place, true);
    const up = Promise.withResolvers<void>();
    const aside = read(child.stderr);
    const output = read(child.stdout, (printed) => {
      if (printed.includes(text)) up.resolve();
    });
    output.then((printed) => up.reject(new Error(`${where} has ended, and printed:\n${printed}`)));
    this.#services.push({ child, output: Promise.all([output, aside]) });
    await within(LIMIT_MS, `${where}: "${text}"`, up.promise);
  }

  /** Ends all services. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child, output } of this.#services) {
      end(child, "SIGTERM");
      await within(END_LIMIT_MS, "the end of a service", Promise.all([child.status, output]));
    }
  }

  #spawn(command: readonly string[], { prefix, env }: Place, merged: boolean): Deno.ChildProcess {
    const [program, ...args] = [
      ...prefix,
      ...(merged ? ["sh", "-c", 'exec "$@" 2>&1', "sh"] : []),
      ...command,
    ];
    return new Deno.Command(program!, {
      args,
      cwd: this.#folder,
      env: { ...this.#env, ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: true, // A group of its own, so that all of it can be ended.
    }).spawn();
  }
}

function end(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    Deno.kill(-child.pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function read(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  look?: (printed: string) => void,
): Promise<string> {
  let printed = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    printed += piece;
    look?.(printed);
  }
  return printed;
}
