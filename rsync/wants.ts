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

/**
 * Reads the hashes of an old copy, of which `reader` gives the size next. Undefined when it could not be read over there.
 *
 * @throws {ProtocolError} when they are not those of a file of this size
 */
export async function readSignature(reader: ByteReader, wants: Wants): Promise<Signature | undefined> {
  const signature = new Signature(reader.number());
  while (!signature.complete) {
    const next = await wants.next();
    if (next === undefined || next.byte() !== WantKind.SUMS) {
      throw new ProtocolError("Cannot take the hashes of an old file: some are missing");
    }
    const count = next.number();
    if (count === 0) return undefined;
    signature.add(next.raw(count * SUM_BYTES));
  }
  return signature;
}
