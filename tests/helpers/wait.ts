/** Waiting in tests: for a condition, with a deadline; never for a time. */

const POLL_MS = 10;

/** Resolves when `condition` gives a true value, with that value. Fails with `what` when that takes longer than `ms`. */
export async function until<T>(
  what: string,
  condition: () => T | false | Promise<T | false>,
  ms = 5_000,
): Promise<T> {
  const started = performance.now();
  while (true) {
    const value = await condition();
    if (value) return value as T;
    if (performance.now() - started > ms) throw new Error(`Not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Fails when `promise` has not settled in `ms`. The promise itself goes on. */
export async function limited<T>(what: string, promise: Promise<T>, ms = 5_000): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not settled within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The text of a byte stream as it comes in: read on in the background until its end. */
export class TextTap {
  /** What has come so far. */
  text = "";
  /** Resolves at the end of the stream. */
  readonly ended: Promise<void>;

  /** Starts reading. */
  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.text += decoder.decode(chunk, { stream: true });
  }

  /** Resolves when the text contains `part`. */
  async has(part: string, ms?: number): Promise<void> {
    await until(`output with ${JSON.stringify(part)}`, () => this.text.includes(part), ms);
  }
}
