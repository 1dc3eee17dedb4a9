/** A transport whose other side is a script: bytes are given to it, and what is written is kept. */

import type { Transport } from "../../channel/transport.ts";

/** How it works. */
export interface FeedOptions {
  /** Whether bytes come as messages. */
  readonly messages: boolean;
  /** Whether nobody reads what is written. */
  readonly stuck: boolean;
}

/** One end; there is no other. */
export class FeedTransport implements Transport {
  readonly writeBudget: number = 256 * 1024;
  readonly receiveMessages?: (push: (bytes: Uint8Array) => void, ended: (reason?: unknown) => void) => void;
  /** What was written, in order. */
  readonly written: Uint8Array[] = [];
  /** Whether it was let go of. */
  over = false;
  readonly #stuck: boolean;
  #queue: Uint8Array[] = [];
  #ended = false;
  #waiting: PromiseWithResolvers<void> | undefined;
  #push: ((bytes: Uint8Array) => void) | undefined;
  #onEnd: ((reason?: unknown) => void) | undefined;
  #reject: ((reason: unknown) => void) | undefined;

  /** Makes one to which nothing has been given. */
  constructor({ messages, stuck }: FeedOptions) {
    this.#stuck = stuck;
    if (messages) {
      this.receiveMessages = (push, ended): void => {
        this.#push = push;
        this.#onEnd = ended;
      };
    }
  }

  /** Gives it bytes, which may be changed afterwards. */
  feed(bytes: Uint8Array): void {
    if (this.over || this.#ended || bytes.length === 0) return;
    if (this.#push !== undefined) return this.#push(bytes.slice());
    this.#queue.push(bytes.slice());
    this.#wake();
  }

  /** Nothing more comes. */
  end(): void {
    if (this.over || this.#ended) return;
    this.#ended = true;
    if (this.#onEnd !== undefined) this.#onEnd();
    this.#wake();
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (into.length === 0) throw new Error("Asked to read into nothing");
    while (this.#queue.length === 0) {
      if (this.over || this.#ended) return null;
      this.#waiting ??= Promise.withResolvers<void>();
      await this.#waiting.promise;
    }
    const first = this.#queue[0]!;
    const part = first.subarray(0, into.length);
    into.set(part);
    if (part.length === first.length) this.#queue.shift();
    else this.#queue[0] = first.subarray(part.length);
    return part.length;
  }

  write(bytes: Uint8Array, whole: boolean): Promise<void> {
    if (this.over) return Promise.reject(new Error("The connection is cut"));
    if (bytes.length === 0) return Promise.reject(new Error("Asked to write nothing"));
    if (this.#stuck) return new Promise((_, reject) => this.#reject = reject);
    this.written.push(bytes.slice());
    if (whole) (bytes.buffer as ArrayBuffer).transfer();
    return Promise.resolve();
  }

  close(): void {
    this.abort();
  }

  abort(): void {
    if (this.over) return;
    this.over = true;
    this.#queue = [];
    this.#reject?.(new Error("The connection is cut"));
    this.#wake();
  }
}
