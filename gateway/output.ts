/** What a gateway's process writes: passed on as the caller wishes, and its end kept for error messages. */

/** Where what the far side prints goes. */
export type StderrMode = "inherit" | "prefix" | "piped" | "null";

/** Kept for error messages. */
const TAIL_BYTES = 4 * 1024;

/** Held for a reader of `stderr: "piped"`; more makes the far side's writes wait. */
const PIPE_BYTES = 64 * 1024;

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

  /** Starts to read. `name` is what mode `prefix` puts before each line. */
  constructor(
    mode: StderrMode,
    name: string,
    output: ReadableStream<Uint8Array>,
  ) {
    this.#mode = mode;
    this.#prefix = `[${name}] `;
    if (mode === "piped") {
      this.stream = new ReadableStream<Uint8Array>({
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#wake?.(),
        cancel: () => {
          this.#cancelled = true;
          this.#wake?.();
        },
      }, new ByteLengthQueuingStrategy({ highWaterMark: PIPE_BYTES }));
    }
    this.ended = this.#read(output).then(() => {
      if (!this.#cancelled) this.#controller?.close();
    });
  }

  /** The last of what was written, as text. */
  get tail(): string {
    return new TextDecoder().decode(this.#tail).trimEnd();
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let line = "";
    const decoder = new TextDecoder();
    try {
      for await (const chunk of stream) {
        this.#keep(chunk);
        switch (this.#mode) {
          case "inherit":
            await writeAll(chunk);
            break;
          case "prefix": {
            const lines = (line + decoder.decode(chunk, { stream: true })).split("\n");
            line = lines.pop()!;
            if (lines.length > 0) await writeAll(this.#prefixed(lines));
            break;
          }
          case "piped":
            await this.#pipe(chunk);
            break;
          case "null":
            break;
          default: {
            const never: never = this.#mode;
            throw new TypeError(`Unknown mode ${never}`);
          }
        }
      }
      if (line !== "") await writeAll(this.#prefixed([line]));
    } catch {
      // The stream broke with its process, or this program's own stderr is closed: the rest has nowhere to go.
      await stream.cancel().catch(() => {});
    }
  }

  #prefixed(lines: string[]): Uint8Array {
    return new TextEncoder().encode(lines.map((line) => `${this.#prefix}${line}\n`).join(""));
  }

  #keep(chunk: Uint8Array): void {
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
