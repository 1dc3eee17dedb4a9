/** What Workers print, as a stream, in bounded memory. */

/** Held for a reader that does not come. Workers do not wait for one; what is beyond is dropped. */
const MAX_UNREAD_BYTES = 1024 * 1024;

const DROPPED = "\n[execnet: output was dropped here, as nobody reads it]\n";

/** Takes text, gives a stream of bytes. */
export class Printed {
  /** What was printed. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #encoder = new TextEncoder();
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #ended = false;
  #dropping = false;

  /** Starts with nothing. */
  constructor() {
    this.stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#ended = true;
      },
    }, { highWaterMark: MAX_UNREAD_BYTES, size: (chunk) => chunk.length });
  }

  /** Takes text. */
  print(text: string): void {
    if (this.#ended || text === "") return;
    if ((this.#controller.desiredSize ?? 0) <= 0) {
      if (!this.#dropping) this.#controller.enqueue(this.#encoder.encode(DROPPED));
      this.#dropping = true;
      return;
    }
    this.#dropping = false;
    this.#controller.enqueue(this.#encoder.encode(text));
  }

  /** Ends the stream. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#controller.close();
  }
}
