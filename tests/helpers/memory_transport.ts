/** Two transports in memory that lead to each other, with the faults that real connections have as methods. */

import type { Transport } from "../../channel/transport.ts";

/** How a pair is made. */
export interface MemoryOptions {
  /** Bytes that may be under way in each direction before `write` waits. */
  capacity?: number;
  /** Whether bytes come as messages (`receiveMessages`) and not by `read`. */
  messages?: boolean;
  /** See {@linkcode Transport.writeBudget}. */
  writeBudget?: number;
}

/** Bytes under way. Until `write` has resolved they are the writer's own, so a writer that changes them is found out. */
interface Piece {
  bytes: Uint8Array;
  at: number;
  /** Copies the bytes and lets the writer go on. */
  release: (() => void) | undefined;
  reject: ((reason: unknown) => void) | undefined;
}

const NEVER_SPLIT = (): number => Infinity;

/** One direction. */
class Flow {
  readonly capacity: number;
  pieces: Piece[] = [];
  waiting = 0;
  /** All bytes that have been read so far. */
  passed = 0;
  ended = false;
  error: unknown;
  broken = false;
  /** Bytes that may still arrive. */
  admitted: number = Infinity;
  turns = 0;
  nextSize: () => number = NEVER_SPLIT;
  readonly flips: Map<number, number> = new Map();
  changed: PromiseWithResolvers<void> | undefined;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  signal(): void {
    this.changed?.resolve();
    this.changed = undefined;
  }

  write(bytes: Uint8Array, whole: boolean): Promise<void> {
    if (this.ended || this.broken) return Promise.reject(new Error("The connection is cut"));
    if (bytes.length === 0) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const piece: Piece = {
      bytes,
      at: 0,
      reject,
      release: () => {
        piece.bytes = bytes.slice();
        // Given away means that nobody may look at it again; who does finds nothing.
        if (whole) (bytes.buffer as ArrayBuffer).transfer();
        resolve();
      },
    };
    this.pieces.push(piece);
    this.waiting += bytes.length;
    this.#releaseWriters();
    this.signal();
    return promise;
  }

  #releaseWriters(): void {
    let before = 0;
    for (const piece of this.pieces) {
      if (before >= this.capacity) break;
      before += piece.bytes.length - piece.at;
      if (piece.release !== undefined && (before <= this.capacity || piece === this.pieces[0])) {
        piece.release();
        piece.release = piece.reject = undefined;
      }
    }
  }

  /** Waits until something can be read; false at the end. */
  async ready(): Promise<boolean> {
    while (true) {
      for (let turn = 0; turn < this.turns; turn++) await Promise.resolve();
      if (this.broken) {
        if (this.error !== undefined) throw this.error;
        return false;
      }
      if (this.admitted > 0) {
        if (this.pieces.length > 0) return true;
        if (this.ended) return false;
      }
      this.changed ??= Promise.withResolvers<void>();
      await this.changed.promise;
    }
  }

  /** Takes at most `room` bytes. */
  take(room: number): Uint8Array {
    const piece = this.pieces[0]!;
    const size = Math.max(1, Math.min(room, this.admitted, piece.bytes.length - piece.at, this.nextSize()));
    const part = piece.bytes.slice(piece.at, piece.at + size);
    for (const [at, mask] of this.flips) {
      const here = at - this.passed;
      if (here >= 0 && here < size) {
        part[here]! ^= mask;
        this.flips.delete(at);
      }
    }
    piece.at += size;
    this.passed += size;
    this.admitted -= size;
    this.waiting -= size;
    if (piece.at === piece.bytes.length) {
      piece.release?.();
      this.pieces.shift();
    }
    this.#releaseWriters();
    return part;
  }

  break(error: unknown): void {
    if (this.broken) return;
    this.broken = true;
    this.error = error;
    for (const piece of this.pieces) piece.reject?.(error ?? new Error("The connection is cut"));
    this.pieces = [];
    this.waiting = 0;
    this.signal();
  }
}

/** One end of a pair. The faults concern what comes to this end; {@linkcode MemoryTransport.drop} cuts both ways. */
export class MemoryTransport implements Transport {
  readonly writeBudget: number;
  readonly receiveMessages?: (push: (bytes: Uint8Array) => void, ended: (reason?: unknown) => void) => void;
  /** How often `write` was called, and with how many bytes. */
  readonly writes: number[] = [];
  /** Called with a copy of everything that is written. */
  onWrite: ((bytes: Uint8Array) => void) | undefined;
  /** Whether `close` and `abort` were called. */
  closed = false;
  aborted = false;
  readonly #in: Flow;
  readonly #out: Flow;

  /** Made by {@linkcode memoryTransports}. */
  constructor(incoming: Flow, outgoing: Flow, options: MemoryOptions) {
    this.#in = incoming;
    this.#out = outgoing;
    this.writeBudget = options.writeBudget ?? 256 * 1024;
    if (options.messages) this.receiveMessages = (push, ended) => void this.#deliver(push, ended);
  }

  async #deliver(push: (bytes: Uint8Array) => void, ended: (reason?: unknown) => void): Promise<void> {
    let reason: unknown;
    try {
      while (await this.#in.ready()) push(this.#in.take(Infinity));
    } catch (error) {
      reason = error;
    }
    ended(reason);
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (into.length === 0) throw new Error("Asked to read into nothing");
    if (!await this.#in.ready()) return null;
    const part = this.#in.take(into.length);
    into.set(part);
    return part.length;
  }

  write(bytes: Uint8Array, whole: boolean): Promise<void> {
    if (whole && bytes.length !== bytes.buffer.byteLength) {
      throw new Error("A part was given away as a whole");
    }
    this.writes.push(bytes.length);
    this.onWrite?.(bytes.slice());
    return this.#out.write(bytes, whole);
  }

  close(): void {
    this.closed = true;
    this.#out.ended = true;
    this.#out.signal();
    this.#in.break(undefined);
  }

  abort(): void {
    this.aborted = true;
    this.drop();
  }

  /** Bytes on their way to this end. */
  get incomingBytes(): number {
    return this.#in.waiting;
  }

  /** Cuts what arrives into pieces: of these sizes in turn, or of what a function says. */
  split(sizes: readonly number[] | (() => number)): void {
    let at = 0;
    this.#in.nextSize = typeof sizes === "function" ? sizes : () => sizes[at++ % sizes.length]!;
  }

  /** Nothing arrives until {@linkcode MemoryTransport.resume}. */
  stall(): void {
    this.admit(0);
  }

  /** Ends a stall. */
  resume(): void {
    this.admit(Infinity);
  }

  /** So many bytes more arrive, and then nothing. */
  admit(bytes: number): void {
    this.#in.admitted = bytes;
    this.#in.signal();
  }

  /** Every read takes so many further turns of the microtask queue. */
  delay(turns: number): void {
    this.#in.turns = turns;
  }

  /** Flips bits of byte `at` of all that arrives here. */
  corrupt(at: number, mask = 0xff): void {
    this.#in.flips.set(at, mask);
  }

  /** The other side ends its direction; what is under way still arrives. */
  endInput(): void {
    this.#in.ended = true;
    this.#in.signal();
  }

  /** Cuts the link, at once and both ways. Without an error both sides see an end of input. */
  drop(error?: unknown): void {
    this.#in.break(error);
    this.#out.break(error);
  }
}

/** Makes two transports that lead to each other. */
export function memoryTransports(options: MemoryOptions = {}): [MemoryTransport, MemoryTransport] {
  const capacity = options.capacity ?? 256 * 1024;
  const there = new Flow(capacity);
  const back = new Flow(capacity);
  return [new MemoryTransport(back, there, options), new MemoryTransport(there, back, options)];
}
