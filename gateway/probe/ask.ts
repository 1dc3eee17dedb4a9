/** Runs a program as gateways do, here or where another gateway runs, and takes down what it says and when. */

import { within } from "../../channel/wait.ts";
import { linkTransport } from "../process/link.ts";
import type { Program } from "../process/program.ts";
import { LATE, limited } from "./limit.ts";
import type { Limit } from "./limit.ts";

/** What a program has said. */
export interface Answer {
  /** Its exit code; undefined when it had to be ended. */
  readonly code: number | undefined;
  /** Why the way to it has ended, where that was it. */
  readonly reason?: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether its time was over. */
  readonly late: boolean;
  /** Milliseconds from its start until something of this form had come; undefined where nothing has. */
  at(pattern: RegExp): number | undefined;
}

/** How a program is run. */
export interface AskOptions extends Limit {
  /** Starts it. */
  open(signal: AbortSignal): Promise<Program>;
  /** What goes to its stdin, which then ends. Without it stdin stays open. */
  input?: string;
  /** Whether what has come is enough, so that it need not end by itself. */
  enough?(stdout: string): boolean;
}

/** Bytes of each stream that are kept: far more than a login prints. */
const MAX_TEXT = 256 * 1024;

/** How long after the end of a program its last output is waited for. */
const OUTPUT_GRACE_MS = 500;

/** Runs it to its end; when that takes too long, it is killed. Whatever happens, nothing of it is left. */
export async function ask({ open, input, enough, signal, timeout }: AskOptions): Promise<Answer> {
  const started = performance.now();
  const heard = new Heard(started);
  let program: Program | undefined;
  const stop = (): void => {
    program?.kill();
    program?.link.close();
  };
  try {
    const end = await limited({ signal, timeout }, async (limit) => {
      const opened = await open(limit);
      program = opened;
      if (limit.aborted) stop();
      else limit.addEventListener("abort", stop, { once: true });
      const all = Promise.all([
        heard.stdout(opened, () => enough?.(heard.out) === true && opened.kill()),
        heard.stderr(opened),
      ]);
      if (input !== undefined) {
        // What does not take it says why by its end.
        await linkTransport(opened.link).write(new TextEncoder().encode(input), false).catch(() => {});
        opened.endInput();
      }
      const ended = await opened.ended;
      await within(all, OUTPUT_GRACE_MS);
      return ended;
    });
    const { code, reason } = end === LATE ? { code: undefined, reason: undefined } : end;
    return { code, reason, stdout: heard.out, stderr: heard.err, late: end === LATE, at: heard.at };
  } finally {
    stop();
    if (program !== undefined) await within(program.ended, OUTPUT_GRACE_MS);
  }
}

/** What was said, and when. */
class Heard {
  out = "";
  err = "";
  readonly #started: number;
  /** What had come when. */
  readonly #marks: { ms: number; out: number; err: number }[] = [];

  constructor(started: number) {
    this.#started = started;
  }

  readonly at = (pattern: RegExp): number | undefined =>
    this.#marks.find(({ out, err }) =>
      pattern.test(this.out.slice(0, out)) || pattern.test(this.err.slice(0, err))
    )?.ms;

  async stdout({ link }: Program, came: () => void): Promise<void> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(16 * 1024);
    while (true) {
      const count = await link.read(buffer).catch(() => null);
      if (count === null) return;
      if (this.out.length < MAX_TEXT) {
        this.out += decoder.decode(buffer.subarray(0, count), { stream: true });
      }
      this.#mark();
      came();
    }
  }

  async stderr({ output }: Program): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of output!) {
        if (this.err.length < MAX_TEXT) this.err += decoder.decode(chunk, { stream: true });
        this.#mark();
      }
    } catch {
      // The way to it has ended, and so has what it says.
    }
  }

  #mark(): void {
    const ms = performance.now() - this.#started;
    this.#marks.push({ ms, out: this.out.length, err: this.err.length });
  }
}
