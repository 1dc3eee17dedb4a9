/**
 * How the driver talks with the programs that it measures: a line of JSON with a task goes to a program's stdin, and
 * a line of JSON with figures comes back on its stdout. Programs in other languages speak the same.
 */

import { TextLineStream } from "jsr:@std/streams@^1.0.17/text-line-stream";
import { PLAYER_MARK, takeSnapshot } from "./proc.ts";
import type { Snapshot } from "./proc.ts";
import type { Copy } from "./scene.ts";

/** One measurement to make. */
export interface Task {
  /** What to measure; each program knows its own tasks. */
  task: string;
  /** Which kind of it: an execution model, a kind of link; empty where there is only one. */
  kind: string;
  /** How much work: round trips, items, starts. */
  size: number;
  /** What to copy, where that is what is measured. The targets are ready; what comes of them is checked elsewhere. */
  copy?: Copy | undefined;
}

/** What was measured, by name; a task with one figure calls it `value`. */
export type Figures = Record<string, number>;

/** The task of having started, which every program knows. */
const READY = "ready";

type Answer = { figures: Figures } | { error: string };

/** A program that takes measurements, as the driver sees it. */
export class Player {
  readonly #child: Deno.ChildProcess;
  readonly #mark = crypto.randomUUID();
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;

  /** Starts the program; `env` is added to its environment. */
  constructor(command: readonly string[], env: Record<string, string> = {}) {
    this.#child = new Deno.Command(command[0]!, {
      args: command.slice(1),
      env: { ...env, [PLAYER_MARK]: this.#mark },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = textLines(this.#child.stdout).getReader();
  }

  /** Waits until the program has started, so that its start is no part of what is measured. */
  async ready(timeout: number): Promise<void> {
    await this.ask({ task: READY, kind: "", size: 0 }, timeout);
  }

  /** What it has taken so far, with all that it has started and with `others`. */
  look(others: readonly number[]): Snapshot {
    return takeSnapshot(this.#child.pid, this.#mark, others);
  }

  /** Has one measurement taken. Rejects with what went wrong over there, and when nothing comes in time. */
  async ask(task: Task, timeout: number): Promise<Figures> {
    await this.#writer.write(line(task));
    const timer = Promise.withResolvers<never>();
    const seconds = Math.round(timeout / 1000);
    const id = setTimeout(() => timer.reject(new Error(`no result within ${seconds} s`)), timeout);
    try {
      const { value } = await Promise.race([this.#lines.read(), timer.promise]);
      if (value === undefined) throw new Error("the program ended");
      const answer = JSON.parse(value) as Answer;
      if ("error" in answer) throw new Error(answer.error);
      return answer.figures;
    } finally {
      clearTimeout(id);
    }
  }

  /** Lets the program end; one that does not is killed. */
  async close(grace = 10_000): Promise<void> {
    this.#writer.close().catch(() => {});
    const timer = setTimeout(() => this.#kill(), grace);
    await this.#child.status;
    clearTimeout(timer);
    await this.#lines.cancel().catch(() => {});
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has just ended.
    }
  }
}

/** The other side: answers tasks from stdin until it ends, then ends this program. */
export async function serve(
  tasks: Record<string, (task: Task) => Promise<Figures | number>>,
  cleanup: () => Promise<void> = () => Promise.resolve(),
): Promise<never> {
  for await (const text of textLines(Deno.stdin.readable)) {
    const task = JSON.parse(text) as Task;
    let answer: Answer;
    try {
      const perform = task.task === READY ? () => Promise.resolve(0) : tasks[task.task];
      if (perform === undefined) throw new Error(`there is no task ${task.task}`);
      const result = await perform(task);
      answer = { figures: typeof result === "number" ? { value: result } : result };
    } catch (error) {
      answer = { error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
    }
    await Deno.stdout.write(line(answer));
  }
  await cleanup();
  Deno.exit(0);
}

/** The lines of a text that comes as bytes. */
export function textLines(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<string> {
  return bytes.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
}

function line(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}
