/** The one writer of a connection: control frames first, then the channels in turn, as few writes as possible. */

import { ProtocolError } from "./errors.ts";
import { BufferPool } from "./outbox.ts";
import type { Outbox } from "./outbox.ts";
import { Queue } from "./queue.ts";
import { turn } from "./turn.ts";

/** What is gathered into one write. */
const GATHER_BYTES = 64 * 1024;

/** A piece this large is written from where it lies; a smaller one is cheaper to copy. */
const DIRECT_FROM_BYTES = 16 * 1024;

/** A sender that queues nothing for so many microtasks is done for now: a loop that awaits takes a few for each item. */
const QUIET_TICKS = 8;

/** So many small writes follow one another at once; what still goes on then is a stream, and is gathered. */
const SINGLE_WRITES = 8;

/** Control frames that wait because the far side does not read. A well-behaved one lets a few wait. */
const MAX_CONTROL_BYTES = 16 * 1024 * 1024;

/** So many control frames wait one by one. More are joined: one of them takes a dozen times of its bytes. */
const MAX_LOOSE_FRAMES = 1_024;

/** Writes bytes and resolves when they may be reused; `whole`: the buffer may be given away. */
export type WriteBytes = (bytes: Uint8Array, whole: boolean) => Promise<void>;

/**
 * Sends what is queued, one write at a time. What is queued during a write goes into the next one, so that a lone
 * frame leaves at once and a stream leaves in few pieces. Queueing never waits and never throws.
 *
 * What is queued while nothing is being written is handed to the system before the sender's next microtask, unless it
 * is part of a stream: code that sends and then computes without a pause has been heard.
 */
export class Writer {
  /** Buffers for the channels that write here. */
  readonly pool: BufferPool = new BufferPool();
  readonly #write: WriteBytes;
  readonly #budget: number;
  readonly #onError: (reason: unknown) => void;
  #control: Uint8Array[] = [];
  #controlBytes = 0;
  /** How many of them, from the first on, are joined from others. */
  #joined = 0;
  readonly #ready = new Queue<Outbox>();
  #gather: Uint8Array | undefined;
  #running = false;
  #stopped = false;
  #idle: PromiseWithResolvers<void> | undefined;
  #between: (() => void) | undefined;

  /** Makes a writer that takes at most `budget` bytes of a channel in its turn. */
  constructor(write: WriteBytes, budget: number, onError: (reason: unknown) => void) {
    this.#write = write;
    this.#budget = budget;
    this.#onError = onError;
  }

  /** Queues a frame that goes before everything else. */
  control(frame: Uint8Array): void {
    if (this.#stopped) return;
    this.#control.push(frame);
    this.#controlBytes += frame.length;
    if (this.#controlBytes > MAX_CONTROL_BYTES) {
      this.#onError(new ProtocolError("The far side asks for answers and does not read them"));
    }
    if (this.#control.length - this.#joined > MAX_LOOSE_FRAMES) this.#join();
    this.#wake();
  }

  #join(): void {
    const loose = this.#control.splice(this.#joined++);
    const joined = new Uint8Array(loose.reduce((sum, frame) => sum + frame.length, 0));
    let at = 0;
    for (const frame of loose) {
      joined.set(frame, at);
      at += frame.length;
    }
    this.#control.push(joined);
  }

  /** Queues a frame that leaves with the next one, and in the same write. */
  precede(frame: Uint8Array): void {
    this.#control.push(frame);
    this.#controlBytes += frame.length;
  }

  /** Queues a channel that has something to send. */
  ready(outbox: Outbox): void {
    if (outbox.queued || this.#stopped || outbox.empty) return;
    outbox.queued = true;
    this.#ready.push(outbox);
    this.#wake();
  }

  /** Calls `action`, once, when nothing is being written: what was queued until now has left then, or still waits. */
  between(action: () => void): void {
    if (!this.#running) return action();
    const earlier = this.#between;
    this.#between = earlier === undefined ? action : () => {
      earlier();
      action();
    };
  }

  /** Takes channels out of the line. Only between two writes: what is being written of a channel is not there. */
  withdraw(wanted: (outbox: Outbox) => boolean): Outbox[] {
    const taken = this.#ready.withdraw(wanted);
    for (const outbox of taken) outbox.queued = false;
    return taken;
  }

  /** Resolves when nothing is left to write, or the writer has stopped. */
  idle(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  /** Ends writing. What waits is forgotten. */
  stop(): void {
    this.#stopped = true;
    this.#control = [];
    this.#joined = 0;
    for (let outbox; (outbox = this.#ready.shift()) !== undefined;) outbox.clear();
    this.#idle?.resolve();
  }

  #wake(): void {
    if (this.#running) return;
    this.#running = true;
    queueMicrotask(() => this.#run());
  }

  async #run(): Promise<void> {
    try {
      let singles = 0;
      while (!this.#stopped) {
        this.#pause();
        if (this.#control.length === 0 && this.#ready.length === 0) break;
        const filled = this.#gatherSmall();
        if (filled > 0) await this.#write(this.#gather!.subarray(0, filled), false);
        else await this.#writeLarge();
        if (filled === 0 || filled >= DIRECT_FROM_BYTES) continue;
        // Is more sent right after a write, on the same channel or, one answer after the other, on many? No function
        // of its own: its return would take a microtask more than a sender does.
        for (let tick = 0; tick < QUIET_TICKS && this.#ready.length === 0; tick++) await undefined;
        if (this.#ready.length === 0) singles = 0;
        // Writes that the system takes at once would take turns with a sender's loop, a few items a write. Letting the
        // event loop turn first gives the sender time to fill a buffer.
        else if (++singles >= SINGLE_WRITES) await turn();
      }
    } catch (error) {
      if (!this.#stopped) this.#onError(error);
    }
    this.#running = false;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  #pause(): void {
    const action = this.#between;
    this.#between = undefined;
    action?.();
  }

  /** Fills the gather buffer from the front of the queues until something large or the end comes. */
  #gatherSmall(): number {
    let gather = this.#gather;
    let filled = 0;
    const control = this.#control;
    let sent = 0;
    for (; sent < control.length; sent++) {
      const frame = control[sent]!;
      if (gather === undefined) this.#gather = gather = new Uint8Array(GATHER_BYTES);
      if (filled + frame.length > GATHER_BYTES) {
        if (filled > 0) break;
        this.#gather = gather = new Uint8Array(frame.length);
      }
      gather.set(frame, filled);
      filled += frame.length;
    }
    this.#controlBytes -= filled;
    if (sent > 0) {
      this.#control = sent === control.length ? [] : control.slice(sent);
      this.#joined = Math.max(0, this.#joined - sent);
    }
    while (this.#ready.length > 0 && this.#control.length === 0) {
      const outbox = this.#ready.first!;
      if (outbox.empty) {
        this.#ready.shift();
        outbox.queued = false;
        continue;
      }
      const size = outbox.nextBytes;
      if (size >= DIRECT_FROM_BYTES || filled + size > GATHER_BYTES) break;
      if (gather === undefined) this.#gather = gather = new Uint8Array(GATHER_BYTES);
      const part = outbox.take(DIRECT_FROM_BYTES);
      gather.set(part, filled);
      filled += part.length;
      outbox.written();
      this.#turn(outbox);
    }
    return filled;
  }

  async #writeLarge(): Promise<void> {
    const outbox = this.#ready.first;
    if (outbox === undefined) return;
    const part = outbox.take(this.#budget);
    this.#turn(outbox);
    await this.#write(part, part.length === part.buffer.byteLength);
    outbox.written();
  }

  /** Puts the first channel at the end of the line, or out of it. */
  #turn(outbox: Outbox): void {
    this.#ready.shift();
    outbox.queued = !outbox.empty;
    if (outbox.queued) this.#ready.push(outbox);
  }
}
