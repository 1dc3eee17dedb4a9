/** What code prints in a Worker inside of the caller's process: its own stdout and stderr are the caller's. */

/** The part of Deno's internals that makes consoles; nothing public does. */
interface ConsoleMaker {
  Console?: new (print: (text: string, level: number) => void) => Console;
}

/** Characters that are on their way at most; who prints more waits until some were taken. */
const MAX_UNTAKEN = 1024 * 1024;

/** What a Worker shares with who takes what it prints: the places of its numbers. */
export const Shared = {
  /** The characters that are on their way. */
  UNTAKEN: 0,
  /** Not 0 when nobody takes any more of it. */
  OVER: 1,
} as const;

/**
 * Hands on text, and waits while too much of it is on its way: messages would be queued without bound. What is printed when
 * nobody takes it any more is dropped: a Worker that has said that it ends still runs its last listeners.
 */
export function boundedPrint(print: (text: string) => void, shared: Int32Array): (text: string) => void {
  const { UNTAKEN, OVER } = Shared;
  const over = (): boolean => Atomics.load(shared, OVER) !== 0;
  return (text) => {
    if (over()) return;
    Atomics.add(shared, UNTAKEN, text.length);
    print(text);
    // Who ends it changes the number, too, so that no wait begins behind that.
    for (let count; (count = Atomics.load(shared, UNTAKEN)) > MAX_UNTAKEN && !over();) {
      Atomics.wait(shared, UNTAKEN, count);
    }
  };
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
