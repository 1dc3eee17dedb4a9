/** Where the command reads and writes, and what it may do there. */

import { Failure } from "./failure.ts";
import { type Style, styleFor, wantsColours } from "./style.ts";
import { unless } from "./unless.ts";

/** Standard input, output and error of the command, and who wants it to end. */
export interface Terminal {
  /** Standard input. */
  readonly input: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly inputIsTerminal: boolean;
  readonly outputIsTerminal: boolean;
  /** Whether progress and colours make sense on standard error. */
  readonly errorIsTerminal: boolean;
  /** Colours for standard output; by default where it is a terminal. */
  readonly style: Style;
  /** Colours for standard error. */
  readonly errorStyle: Style;
  /** Aborts when the process is told to end (SIGINT, SIGTERM, SIGHUP). */
  readonly signal: AbortSignal;
  /**
   * Writes to standard output, whole; the next call waits for it. Rejects with BrokenPipe when nobody reads, and with the
   * reason of `signal`: a reader that takes nothing keeps no command from its end.
   */
  write(text: string): Promise<void>;
  /** The same for bytes. */
  writeBytes(bytes: Uint8Array): Promise<void>;
  /** Writes a line to standard error. */
  tell(line: string): void;
}

/** The terminal of a process. */
export interface ProcessTerminal extends Terminal {
  /** Resolves when all is written, when it cannot be, and when the process is told to end. */
  flushed(): Promise<void>;
}

/** The terminal of this process. `signal` says when it is to end. */
export function processTerminal(signal: AbortSignal): ProcessTerminal {
  const encoder = new TextEncoder();
  const outputIsTerminal = Deno.stdout.isTerminal();
  const errorIsTerminal = Deno.stderr.isTerminal();
  const colours = wantsColours((name) => Deno.env.get(name));
  let last: Promise<void> = Promise.resolve();
  const writeBytes = async (bytes: Uint8Array): Promise<void> => {
    signal.throwIfAborted();
    // What is under way goes on when the signal comes, so that no line is cut if somebody reads.
    const written = last = last.then(() => writeAll(bytes));
    await unless(signal, written);
  };
  return {
    input: named(Deno.stdin.readable),
    inputIsTerminal: Deno.stdin.isTerminal(),
    outputIsTerminal,
    errorIsTerminal,
    style: styleFor(colours ?? outputIsTerminal),
    errorStyle: styleFor(colours ?? errorIsTerminal),
    signal,
    write: (text) => writeBytes(encoder.encode(text)),
    writeBytes,
    tell(line): void {
      const bytes = encoder.encode(`${line}\n`);
      try {
        for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
      } catch {
        // Nobody reads it.
      }
    },
    flushed: () =>
      unless(signal, last).catch(() => {
        // Whoever has written it was told.
      }),
  };
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
  } catch (cause) {
    if (cause instanceof Deno.errors.BrokenPipe) throw cause;
    const { message } = cause as Error;
    throw new Failure(`Cannot write to standard output: ${message}`, "Check where it leads", undefined, {
      cause,
    });
  }
}

/** A stream whose errors say that it is standard input. */
function named(input: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  return new ReadableStream({
    async pull(controller): Promise<void> {
      reader ??= input.getReader();
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (cause) {
        const { message } = cause as Error;
        throw new Failure(`Cannot read standard input: ${message}`, "Check where it comes from", undefined, {
          cause,
        });
      }
    },
    cancel: (reason) => (reader ?? input).cancel(reason),
  }, { highWaterMark: 0 });
}
