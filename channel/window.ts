/** Credit per channel, in bytes: how much a sender may still send, and what a receiver owes. Pure accounting. */

import { ProtocolError } from "./errors.ts";
import { MAX_BYPASS_PAYLOAD_BYTES } from "./frame.ts";

/** What a channel may have under way, at first, without a word from its reader. */
export const WINDOW_BYTES: number = 1024 * 1024;

/**
 * How far a window grows while its reader is faster than what comes: then the way there and back, not the reader, is
 * what limits. It never grows for a reader that does not read.
 */
export const MAX_WINDOW_BYTES: number = 8 * 1024 * 1024;

/**
 * What each DATA frame costs besides its payload. It stands for the memory that keeping a frame takes, so that a
 * million frames of one byte are bounded like one frame of a million bytes.
 */
export const FRAME_COST_BYTES = 128;

/** How much of a window is granted at once, at least. */
const PORTION = 1 / 2;

/** The same for an eager reader. A smaller part gains next to nothing over a long way, and costs more frames. */
const EAGER_PORTION = 1 / 4;

/** A sender sends while it has any credit at all, so one frame may go over the window. */
export const OVERDRAFT_BYTES: number = MAX_BYPASS_PAYLOAD_BYTES + FRAME_COST_BYTES;

/** The sender's side: credit that is left. It falls below zero by one frame at the most. */
export class SendWindow {
  #credit = WINDOW_BYTES;

  /** Whether a further frame may be sent. */
  get open(): boolean {
    return this.#credit > 0;
  }

  /** What is left, in bytes. */
  get credit(): number {
    return this.#credit;
  }

  /** Takes what a frame, or an item that joins one, costs. */
  spend(bytes: number): void {
    this.#credit -= bytes;
  }

  /**
   * Adds what the receiver granted.
   *
   * @throws {ProtocolError} when that is more than a window can hold
   */
  grant(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > MAX_WINDOW_BYTES) {
      throw new ProtocolError(`Cannot take a credit of ${bytes} bytes: it is more than a window can hold`);
    }
  }
}

/** The receiver's side: what is held unread, and what was read but is not yet granted again. */
export class ReceiveWindow {
  #size = WINDOW_BYTES;
  #held = 0;
  #owed = 0;
  /** Bytes that were consumed since the window grew last. */
  #consumed = 0;

  /** Bytes that have arrived and have not been consumed. */
  get unread(): number {
    return this.#held - this.#owed;
  }

  /** Bytes that the sender may have under way. */
  get size(): number {
    return this.#size;
  }

  /**
   * Counts a frame that has arrived.
   *
   * @throws {ProtocolError} when the sender had no credit for it
   */
  arrived(bytes: number): void {
    this.#held += bytes;
    if (this.#held > this.#size + OVERDRAFT_BYTES) {
      throw new ProtocolError(`Cannot take a frame of ${bytes} bytes: its channel's window is exhausted`);
    }
  }

  /**
   * Counts bytes that have been consumed. Credit is returned in portions: often enough to keep the sender going, rarely
   * enough to be free. They are smaller for an eager reader, because behind a long way a sender without credit waits
   * for what is held back here, and nothing else comes that would make it a whole portion.
   *
   * The window doubles when an eager reader has consumed half of it, at the first moment in which it is eager: what
   * comes over a long way comes in bursts, and only at the end of one has a reader read everything.
   *
   * @param eager the reader has read everything and wants more, so that the window may grow
   * @returns the credit to grant now, or 0 where it is not worth a frame yet
   */
  consumed(bytes: number, eager: boolean): number {
    this.#owed += bytes;
    this.#consumed += bytes;
    const growth = eager && this.#consumed >= this.#size / 2
      ? Math.min(this.#size, MAX_WINDOW_BYTES - this.#size)
      : 0;
    if (growth === 0 && this.#owed < this.#size * (eager ? EAGER_PORTION : PORTION)) return 0;
    if (growth > 0) this.#consumed = 0;
    const grant = this.#owed + growth;
    this.#size += growth;
    this.#held -= this.#owed;
    this.#owed = 0;
    return grant;
  }
}
