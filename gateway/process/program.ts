/** Starts a program of this machine, guarded, with a link of its own: one pair of sockets, or one for each direction. */

import { guardScript } from "./guard.ts";
import type { GuardOptions } from "./guard.ts";
import type { RawLink } from "./link.ts";
import { socketLink } from "./node_link.ts";
import type { Socket } from "./node_link.ts";
import { Control, keepAlive } from "./process.ts";
import { SIGNAL_NUMBERS } from "./signals.ts";
import type { ProcessEnd, Ref } from "./process.ts";

/** How a program is started. */
export interface ProgramOptions extends GuardOptions {
  /** Added to the environment. */
  env?: Readonly<Record<string, string>>;
  /** The working directory; by default this program's own. */
  cwd?: string;
  /** Where what it prints goes: to a stream, or to this program's own stderr. */
  print: "piped" | "inherit";
}

/** A program that was started, and the way to it. */
export interface Program {
  readonly pid: number;
  /** The other end of its descriptor 3, or of its stdin and stdout. */
  readonly link: RawLink;
  /** Ends its input, and goes on reading. */
  endInput(): void;
  /** What it prints, unless that goes to this program's stderr. */
  readonly output: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  /** Resolves when it has ended; never rejects. */
  readonly ended: Promise<ProcessEnd>;
  /** Tells it to end, by SIGTERM to the program itself. */
  terminate(): void;
  /** Kills it and all that it started. Idempotent, never throws, does not wait. */
  kill(): void;
  /** Whether it had to be told or killed. */
  readonly forced: boolean;
  /** Whether this program has to stay because of it. Counted: a `false` takes back one `true`. */
  keepAlive(keep: boolean): void;
}

/** Loads what starting a program takes, so that it is there when something else has been waited for. */
export function prepareStart(): void {
  import("node:child_process").catch(() => {
    // Whoever starts a program is told.
  });
}

/**
 * Starts a program. Its link is its descriptor 3, or its stdin and its stdout: these are not one socket then,
 * because a program that makes the one non-blocking must not surprise those that read from the other.
 *
 * Throws what the system says when that is impossible.
 */
export async function startProgram(command: readonly string[], options: ProgramOptions): Promise<Program> {
  const { spawn } = await import("node:child_process");
  const { Readable } = await import("node:stream");
  const child = spawn("/bin/sh", ["-c", guardScript(command, options)], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...Deno.env.toObject(), ...options.env },
    stdio: [
      "pipe",
      "ignore",
      options.print === "piped" ? "pipe" : "inherit",
      "pipe",
      ...(options.link === "streams" ? ["pipe" as const] : []),
    ],
    detached: true,
  });
  const started = Promise.withResolvers<void>();
  child.on("spawn", () => started.resolve());
  child.on("error", (error) => started.reject(error));
  // What this program may not start has no streams, and says why in a moment.
  if (child.pid === undefined) await started.promise;
  const [input, output = input] = child.stdio.slice(3) as unknown as Socket[];
  const link = socketLink(output!, input!);
  const { promise: ended, resolve } = Promise.withResolvers<ProcessEnd>();
  const lifeline = child.stdin!;
  lifeline.on("error", () => {});
  const control = new Control(
    child.pid!,
    () => lifeline.destroy(),
    // What `child.kill` does closes the lifeline, too.
    (signal) => signal === "SIGTERM" ? void lifeline.write("\n") : void child.kill(signal),
  );
  child.on("exit", (code, signal) => {
    control.ended();
    // Somebody else may hold open what it has printed to, such as the connection of ssh that it went by.
    for (const one of refs(child.stderr)) one.unref();
    resolve({ code: code ?? 128 + (SIGNAL_NUMBERS[signal!] ?? 9), signal });
  });
  await started.promise;
  return {
    pid: child.pid!,
    link,
    endInput: () => void input!.end(),
    output: child.stderr === null
      ? undefined
      : Readable.toWeb(child.stderr) as ReadableStream<Uint8Array<ArrayBuffer>>,
    ended,
    terminate: () => control.terminate(),
    kill: () => control.kill(),
    get forced() {
      return control.forced;
    },
    keepAlive: keepAlive([child, input!, output!, ...refs(child.stderr)], ended),
  };
}

/** The pipes of a process are sockets, whatever their types say. */
function refs(stream: unknown): Ref[] {
  return stream !== null && typeof (stream as Partial<Ref>).unref === "function" ? [stream as Ref] : [];
}
