/** What comes from a client: read always, so that its end and its wishes are noticed though the process is busy. */

import type { Transport } from "../../channel/transport.ts";
import { DATA_WINDOW_BYTES, FrameError } from "../socket/frames.ts";
import type { Sifter } from "../socket/sifter.ts";
import type { Wire } from "../socket/wire.ts";

const BUFFER_BYTES = 256 * 1024;

/** Less room than this is not worth a read. */
const MIN_ROOM_BYTES = 16 * 1024;

/** Buffers that are kept to be filled again. */
const MAX_FREE = 4;

/** A buffer and the part of it that waits for the process. */
interface Piece {
  readonly buffer: Uint8Array;
  start: number;
  end: number;
}

/** Passes data on to a process. What waits is bounded by the window that the client has. */
export class Upstream {
  readonly #wire: Wire;
  readonly #sifter: Sifter;
  readonly #process: Promise<Transport>;
  readonly #taken: (bytes: number) => void;
  #pieces: Piece[] = [];
  #waiting = 0;
  #passing = false;
  /** The process takes nothing more. */
  #broken = false;
  /** The buffer that is being filled. */
  #current: Uint8Array = new Uint8Array(BUFFER_BYTES);
  #free: Uint8Array[] = [];

  /** `taken` is told what has been passed on. */
  constructor(wire: Wire, sifter: Sifter, process: Promise<Transport>, taken: (bytes: number) => void) {
    this.#wire = wire;
    this.#sifter = sifter;
    this.#process = process;
    this.#taken = taken;
  }

  /** Reads until the end of the connection. `heard` is called whenever something has come. */
  async run(heard: () => void): Promise<void> {
    let end = 0;
    while (true) {
      // What was passed on meanwhile leaves the buffer free.
      if (this.#pieces.length === 0 && !this.#passing) end = 0;
      else if (BUFFER_BYTES - end < MIN_ROOM_BYTES) {
        this.#current = this.#free.pop() ?? new Uint8Array(BUFFER_BYTES);
        end = 0;
      }
      const buffer = this.#current;
      const count = await this.#wire.read(buffer.subarray(end));
      if (count === null) return;
      heard();
      const kept = this.#sifter.sift(buffer.subarray(end, end + count));
      if (kept > 0) this.#queue(buffer, end, end + kept);
      end += kept;
      if (this.#sifter.ended) this.#pass();
    }
  }

  #queue(buffer: Uint8Array, start: number, end: number): void {
    if (this.#broken) return;
    this.#waiting += end - start;
    if (this.#waiting > DATA_WINDOW_BYTES) {
      throw new FrameError("Cannot take more data than the window allows");
    }
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.buffer === buffer && last.end === start) last.end = end;
    else this.#pieces.push({ buffer, start, end });
    this.#pass();
  }

  #pass(): void {
    if (!this.#passing) void this.#run();
  }

  async #run(): Promise<void> {
    this.#passing = true;
    try {
      const process = await this.#process;
      for (let piece = this.#pieces.shift(); piece !== undefined; piece = this.#pieces.shift()) {
        const { buffer, start, end } = piece;
        await process.write(buffer.subarray(start, end), false);
        this.#waiting -= end - start;
        this.#taken(end - start);
        const needed = buffer === this.#current || this.#pieces.some((other) => other.buffer === buffer);
        if (!needed && this.#free.length < MAX_FREE) this.#free.push(buffer);
      }
      if (this.#sifter.ended) process.close();
    } catch {
      // The process has ended: its exit says so. What else comes for it is read and forgotten.
      this.#broken = true;
      this.#pieces = [];
    }
    this.#passing = false;
  }
}
