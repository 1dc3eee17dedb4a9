/** Reads what a target wants, record by record. */

import type { Channel } from "../channel/channel.ts";
import { isPlainEnd, ProtocolError } from "../channel/errors.ts";
import { SUM_BYTES } from "./common/blocks.ts";
import { WantKind } from "./common/messages.ts";
import { ByteReader } from "./common/wire.ts";
import { Signature } from "./delta.ts";

/** The wants of one target. */
export class Wants {
  readonly #channel: Channel;
  readonly #signal: AbortSignal;
  #reader: ByteReader | undefined;

  /** Reads from `channel`, until `signal` ends that. */
  constructor(channel: Channel, signal: AbortSignal) {
    this.#channel = channel;
    this.#signal = signal;
  }

  /** Whether all of what has come in one message was read. */
  get atEnd(): boolean {
    return this.#reader === undefined || this.#reader.done;
  }

  /** At the next record; undefined when no more come. */
  async next(): Promise<ByteReader | undefined> {
    while (this.#reader === undefined || this.#reader.done) {
      try {
        this.#reader = new ByteReader(await this.#channel.receive({ signal: this.#signal }));
      } catch (error) {
        if (isPlainEnd(error)) return undefined;
        throw error;
      }
    }
    return this.#reader;
  }
}

/** The target cannot read its old copy any more: the file is to be sent whole. */
export class SumsLost extends Error {
  static {
    this.prototype.name = "SumsLost";
  }
}

/** Reads the hashes of an old copy, as they are needed. */
export class Sums {
  /** What has come of them. */
  readonly signature: Signature;
  readonly #wants: Wants;
  #lost = false;

  /**
   * @param size how long the old copy is
   * @throws {ProtocolError} when no file of this size is divided
   */
  constructor(size: number, wants: Wants) {
    this.signature = new Signature(size);
    this.#wants = wants;
  }

  /**
   * Reads the next ones, if there are more.
   *
   * @throws {SumsLost} when there will be none
   * @throws {ProtocolError} when they are not those of a file of this size
   */
  async more(): Promise<void> {
    if (this.#lost) throw new SumsLost();
    if (this.signature.complete) return;
    const next = await this.#wants.next();
    if (next === undefined || next.byte() !== WantKind.SUMS) {
      throw new ProtocolError("Cannot take the hashes of an old file: some are missing");
    }
    const count = next.number();
    this.#lost = count === 0;
    if (this.#lost) throw new SumsLost();
    this.signature.add(next.raw(count * SUM_BYTES));
  }

  /** Reads all that are left. The next want comes after them. */
  async rest(): Promise<void> {
    while (!this.#lost && !this.signature.complete) {
      await this.more().catch((error) => {
        if (!(error instanceof SumsLost)) throw error;
      });
    }
  }
}
