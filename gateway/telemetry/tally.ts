/** What is counted of one connection: added up here, and told now and then, so that what passes costs next to nothing. */

import type { Transport } from "../../channel/transport.ts";
import { watchTransport } from "../../channel/watched_transport.ts";
import type { Attributes } from "../process/otel.ts";
import type { Instruments } from "./instruments.ts";

/** The counts of one connection. */
export class Tally {
  readonly #instruments: Instruments;
  readonly #attributes: Attributes;
  readonly #channels: () => number;
  #sent = 0;
  #received = 0;
  #open = 0;

  /** `channels` tells how many are open. */
  constructor(instruments: Instruments, attributes: Attributes, channels: () => number) {
    this.#instruments = instruments;
    this.#attributes = attributes;
    this.#channels = channels;
  }

  /** The transport, whose bytes are counted. */
  count(transport: Transport, rest: Uint8Array): Transport {
    this.#received += rest.length;
    return watchTransport(
      transport,
      (bytes) => void (this.#sent += bytes.length),
      (bytes) => void (this.#received += bytes.length),
    );
  }

  /** Tells what has been counted since the last time. */
  tell(): void {
    const { bytes, channels } = this.#instruments;
    const add = (direction: string, count: number): void => {
      if (count > 0) bytes.add(count, { ...this.#attributes, "network.io.direction": direction });
    };
    add("transmit", this.#sent);
    add("receive", this.#received);
    this.#sent = this.#received = 0;
    const open = this.#channels();
    if (open !== this.#open) channels.add(open - this.#open, this.#attributes);
    this.#open = open;
  }
}
