/** Output that has come and not been read: bytes in one buffer, so that many small pieces take no more room than few. */

const FIRST_BYTES = 16 * 1024;

/** Takes bytes as they come, and gives them as a stream. */
export class OutputQueue {
  /** Gives all that waits, whenever it is read from. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #taken: (count: number) => void;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  #length = 0;
  #ended = false;
  #cancelled = false;
  #wake: (() => void) | undefined;

  /** `taken` is told how many bytes have been read, or are not wanted. */
  constructor(taken: (count: number) => void) {
    this.#taken = taken;
    this.stream = new ReadableStream({
      pull: (controller) => this.#pull(controller),
      cancel: () => {
        this.#cancelled = true;
        this.#give();
      },
    }, { highWaterMark: 0 });
  }

  /** How many bytes wait. */
  get length(): number {
    return this.#length;
  }

  /** Takes bytes, which are copied. */
  push(bytes: Uint8Array): void {
    if (this.#cancelled) return this.#taken(bytes.length);
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = needed;
    this.#wake?.();
  }

  /** Nothing more comes. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> {
    while (this.#length === 0 && !this.#ended && !this.#cancelled) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#cancelled) return;
    if (this.#length > 0) controller.enqueue(this.#give());
    else controller.close();
  }

  /** All that waits. */
  #give(): Uint8Array<ArrayBuffer> {
    const bytes = this.#buffer.slice(0, this.#length);
    if (this.#buffer.length > FIRST_BYTES) this.#buffer = new Uint8Array(FIRST_BYTES);
    this.#length = 0;
    if (bytes.length > 0) this.#taken(bytes.length);
    return bytes;
  }
}
