/** A way for bytes within one isolate: written on one side, pulled on the other. */

import type { Transport } from "../../channel/transport.ts";

/** Bytes on their way in one direction. What may be there at most is bounded by the windows of the channels. */
export class MemoryPipe {
  #chunks: Uint8Array[] = [];
  /** How much of the first chunk has been read. */
  #offset = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  /** Puts bytes in that nobody else uses. */
  push(bytes: Uint8Array): void {
    if (this.#ended || bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#wake?.();
  }

  /** Nothing more will come. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Takes what is there, at least one byte; `null` at the end. */
  async read(into: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
    let count = 0;
    while (count < into.length && this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!;
      const length = Math.min(into.length - count, chunk.length - this.#offset);
      into.set(chunk.subarray(this.#offset, this.#offset + length), count);
      count += length;
      this.#offset += length;
      if (this.#offset < chunk.length) break;
      this.#chunks.shift();
      this.#offset = 0;
    }
    return count;
  }
}

/** Makes a transport that reads from one pipe and writes with `write`. */
export function memoryTransport(
  incoming: MemoryPipe,
  write: (bytes: Uint8Array, whole: boolean) => void,
  end: () => void,
): Transport {
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    incoming.end();
    end();
  };
  return {
    read: (into) => incoming.read(into),
    write(bytes, whole): Promise<void> {
      if (closed) return Promise.reject(new Error("The other side has gone"));
      write(bytes, whole);
      return Promise.resolve();
    },
    close,
    abort: close,
    writeBudget: Infinity,
  };
}

/** Bytes that nobody else uses: a whole buffer is taken over, what will be filled again is copied. */
function owned(bytes: Uint8Array, whole: boolean): Uint8Array {
  return whole ? new Uint8Array((bytes.buffer as ArrayBuffer).transfer()) : bytes.slice();
}

/** Makes the two sides of a connection. */
export function memoryLink(): [Transport, Transport] {
  const here = new MemoryPipe();
  const there = new MemoryPipe();
  const side = (incoming: MemoryPipe, outgoing: MemoryPipe): Transport =>
    memoryTransport(incoming, (bytes, whole) => outgoing.push(owned(bytes, whole)), () => outgoing.end());
  return [side(here, there), side(there, here)];
}
