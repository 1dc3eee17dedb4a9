/** Where the command reads and writes, and what it may do there. */

import { type Style, styleFor, wantsColours } from "./style.ts";

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
  /** Writes to standard output, whole; the next call waits for it. Rejects with BrokenPipe when nobody reads. */
  write(text: string): Promise<void>;
  /** Writes a line to standard error. */
  tell(line: string): void;
}

/** The terminal of this process. `signal` says when it is to end. */
export function processTerminal(signal: AbortSignal): Terminal {
  const encoder = new TextEncoder();
  const outputIsTerminal = Deno.stdout.isTerminal();
  const errorIsTerminal = Deno.stderr.isTerminal();
  const colours = wantsColours((name) => Deno.env.get(name));
  let last: Promise<void> = Promise.resolve();
  return {
    input: Deno.stdin.readable,
    inputIsTerminal: Deno.stdin.isTerminal(),
    outputIsTerminal,
    errorIsTerminal,
    style: styleFor(colours ?? outputIsTerminal),
    errorStyle: styleFor(colours ?? errorIsTerminal),
    signal,
    write(text): Promise<void> {
      return last = last.then(async () => {
        await writeBytes(encoder.encode(text));
      });
    },
    tell(line): void {
      const bytes = encoder.encode(`${line}\n`);
      try {
        for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
      } catch {
        // Nobody reads it.
      }
    },
  };
}

/** Writes bytes to standard output, behind what was written. Rejects with BrokenPipe when nobody reads. */
export async function writeBytes(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}
