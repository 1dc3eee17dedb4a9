/** What a gateway's process writes: passed on as the caller wishes, and its end kept for error messages. */

import { Stint } from "../channel/turn.ts";
import { within } from "../channel/wait.ts";
import { plain } from "./terminal_text.ts";

/** Where what the far side prints goes. */
export type StderrMode = "inherit" | "prefix" | "piped" | "null";

/** Kept for error messages. */
const TAIL_BYTES = 4 * 1024;

/** Chunks that are held at most until they are released; then writes wait. */
const MAX_HELD_CHUNKS = 64;

/** Held for a reader of `stderr: "piped"`; more makes the far side's writes wait. */
const PIPE_BYTES = 64 * 1024;

/** How long what is left of a process that has ended is read before whoever wants none of it goes on. */
const REST_MS = 500;

/** A longer line is taken for several ones: it need not end. */
const MAX_LINE_CHARS = 64 * 1024;

/** Takes what a process prints. */
export class Output {
  /** With mode `piped`, what the process writes. */
  readonly stream: ReadableStream<Uint8Array> | undefined;
  /** Resolves when it has closed its output. */
  readonly ended: Promise<void>;
  readonly #mode: StderrMode;
  readonly #prefix: string;
  #tail: Uint8Array = new Uint8Array(0);
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #wake: (() => void) | undefined;
  #cancelled = false;
  #over = false;
  /** Whether this program's own stderr is closed. */
  #deaf = false;
  /** What has been written and is not to be passed on yet. */
  #held: Uint8Array[] | undefined;
  #released: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  /** Passes on what was held. */
  #flushed: Promise<void> = Promise.resolve();
  #line = "";
  readonly #decoder: TextDecoder = new TextDecoder();

  /**
   * Starts to read. `name` is what mode `prefix` puts before each line. With `held`, nothing is passed on before
   * {@linkcode release}.
   */
  constructor(
    mode: StderrMode,
    name: string,
    output: ReadableStream<Uint8Array>,
    held = false,
  ) {
    this.#mode = mode;
    this.#prefix = `[${name}] `;
    if (held) this.#held = [];
    if (mode === "piped") {
      this.stream = new ReadableStream<Uint8Array>({
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#wake?.(),
        cancel: async () => {
          this.#cancelled = true;
          this.#wake?.();
          // What is left is dropped in a moment.
          if (this.#over) await within(this.ended, REST_MS);
        },
      }, new ByteLengthQueuingStrategy({ highWaterMark: PIPE_BYTES }));
    }
    this.ended = this.#read(output).then(() => {
      if (!this.#cancelled) this.#controller?.close();
    });
  }

  /** Passes on what has been held, and from now on everything. */
  release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#released.resolve();
    this.#flushed = this.#deliverAll(held);
  }

  /** The process has ended. */
  finish(): void {
    this.#over = true;
  }

  /** Forgets what has been held. */
  drop(): void {
    this.#held = [];
    this.release();
  }

  /** The last of what was written, as text. */
  get tail(): string {
    return new TextDecoder().decode(this.#tail).trimEnd();
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of this.#chunks(stream)) {
        this.#keep(chunk);
        if (this.#held !== undefined && this.#held.length < MAX_HELD_CHUNKS) {
          this.#held.push(chunk);
          continue;
        }
        if (this.#held !== undefined) await this.#released.promise;
        await this.#flushed;
        await this.#deliver(chunk);
      }
      await this.#flushed;
      if (this.#line !== "") await this.#write(this.#prefixed([this.#line]));
    } catch {
      // The stream broke with its process.
      await stream.cancel().catch(() => {});
    }
  }

  async *#chunks(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    const reader = stream.getReader();
    const stint = new Stint();
    try {
      while (true) {
        const { value, done } = await stint.take(() => reader.read());
        if (done) return;
        yield value;
      }
    } finally {
      reader.releaseLock();
    }
  }

  async #deliverAll(chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks) await this.#deliver(chunk);
  }

  /**
   * Writes to this program's own stderr. Where that is closed the rest has nowhere to go, but it is read on: who prints
   * would be told otherwise, and a shell elsewhere takes it for the end of its connection.
   */
  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#deaf) return;
    try {
      await writeAll(bytes);
    } catch {
      this.#deaf = true;
    }
  }

  async #deliver(chunk: Uint8Array): Promise<void> {
    switch (this.#mode) {
      case "inherit":
        return await this.#write(chunk);
      case "prefix": {
        const lines = (this.#line + this.#decoder.decode(chunk, { stream: true })).split("\n");
        if (lines.at(-1)!.length < MAX_LINE_CHARS) this.#line = lines.pop()!;
        else this.#line = "";
        if (lines.length > 0) await this.#write(this.#prefixed(lines));
        return;
      }
      case "piped":
        return await this.#pipe(chunk);
      case "null":
        return;
      default: {
        const never: never = this.#mode;
        throw new TypeError(`Unknown mode ${never}`);
      }
    }
  }

  #prefixed(lines: string[]): Uint8Array {
    // A line that says who wrote it must not reach back to what others have written.
    const shown = lines.map((line) => `${this.#prefix}${plain(line.replace(/\r$/, ""))}\n`);
    return new TextEncoder().encode(shown.join(""));
  }

  #keep(chunk: Uint8Array): void {
    if (chunk.length >= TAIL_BYTES) {
      this.#tail = chunk.slice(-TAIL_BYTES);
      return;
    }
    const joined = new Uint8Array(this.#tail.length + chunk.length);
    joined.set(this.#tail);
    joined.set(chunk, this.#tail.length);
    this.#tail = joined.slice(-TAIL_BYTES);
  }

  async #pipe(chunk: Uint8Array): Promise<void> {
    const controller = this.#controller!;
    while (!this.#cancelled && (controller.desiredSize ?? 0) <= 0) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (!this.#cancelled) controller.enqueue(chunk);
  }
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await Deno.stderr.write(rest));
}
