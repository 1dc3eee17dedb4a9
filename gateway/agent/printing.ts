/** What code prints in a Worker inside of the caller's process: its own stdout and stderr are the caller's. */

/** The part of Deno's internals that makes consoles; nothing public does. */
interface ConsoleMaker {
  Console?: new (print: (text: string, level: number) => void) => Console;
}

/**
 * Gives what code prints to `print`, as text: by `console`, `Deno.stdout` and `Deno.stderr`. It cannot catch what
 * `node:process` writes, nor child processes that inherit descriptors.
 */
export function redirectPrinting(print: (text: string) => void): void {
  const decoders = [new TextDecoder(), new TextDecoder()];
  for (const [i, out] of [Deno.stdout, Deno.stderr].entries()) {
    const writeSync = (bytes: Uint8Array): number => {
      print(decoders[i]!.decode(bytes, { stream: true }));
      return bytes.length;
    };
    const writable = new WritableStream<Uint8Array>({ write: (bytes) => void writeSync(bytes) });
    const write = (bytes: Uint8Array): Promise<number> => Promise.resolve(writeSync(bytes));
    Object.defineProperties(out, {
      writeSync: { value: writeSync },
      write: { value: write },
      writable: { value: writable },
    });
  }
  const internals = Deno as unknown as Record<symbol, ConsoleMaker> & { internal: symbol };
  const { Console } = internals[internals.internal] ?? {};
  if (Console !== undefined) globalThis.console = new Console((text) => print(text));
}
