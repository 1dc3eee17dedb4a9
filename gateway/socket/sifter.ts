/** Takes the frames out of a stream that is mostly data, so that the data stays where it was read. A hot path. */

import { FrameError, HEADER_BYTES, Kind, payloadLength } from "./frames.ts";

/** Reads frames cut anywhere. */
export class Sifter {
  readonly #frame: (kind: number, payload: Uint8Array) => void;
  readonly #header: Uint8Array = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  #kind = 0;
  /** What is to come of the payload. */
  #left = 0;
  #payload: Uint8Array = new Uint8Array(0);
  #ended = false;

  /** Makes a sifter that gives all frames but those of data to `frame`, each with a payload of its own. */
  constructor(frame: (kind: number, payload: Uint8Array) => void) {
    this.#frame = frame;
  }

  /** Whether the end of the data has come. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Looks at `bytes`, which have just been read, and moves the data in them to their front.
   *
   * @returns how many bytes of data there are
   * @throws {FrameError} when the other side does not keep to the protocol
   */
  sift(bytes: Uint8Array): number {
    let kept = 0;
    let from = 0;
    while (from < bytes.length) {
      if (this.#left === 0) {
        this.#header[this.#headerBytes++] = bytes[from++]!;
        if (this.#headerBytes === HEADER_BYTES) this.#begin();
        continue;
      }
      const count = Math.min(this.#left, bytes.length - from);
      if (this.#kind === Kind.DATA) {
        if (kept !== from) bytes.copyWithin(kept, from, from + count);
        kept += count;
        this.#left -= count;
      } else {
        this.#payload.set(bytes.subarray(from, from + count), this.#payload.length - this.#left);
        this.#left -= count;
        if (this.#left === 0) this.#frame(this.#kind, this.#payload);
      }
      from += count;
    }
    return kept;
  }

  #begin(): void {
    this.#headerBytes = 0;
    this.#kind = this.#header[0]!;
    this.#left = payloadLength(this.#header);
    if (this.#kind === Kind.DATA) {
      if (this.#ended) throw new FrameError("Cannot read data behind its end");
      return;
    }
    if (this.#kind === Kind.END) this.#ended = true;
    if (this.#left === 0) this.#frame(this.#kind, new Uint8Array(0));
    else this.#payload = new Uint8Array(this.#left);
  }
}
