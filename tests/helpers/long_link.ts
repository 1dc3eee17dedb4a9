/** A link with delay and without a clock: what is under way arrives when the test says so. */

import { settle } from "./bounded.ts";
import type { MemoryTransport } from "./memory_transport.ts";
import type { Pair } from "./sessions.ts";

/** The link between the two sessions of a pair. */
export class LongLink {
  /** How often all that was under way has arrived. */
  ways = 0;
  readonly #ends: readonly MemoryTransport[];

  /** Makes the link of a pair long. */
  constructor(pair: Pair) {
    this.#ends = [pair.localTransport, pair.remoteTransport];
    for (const end of this.#ends) end.stall();
  }

  /** Round trips that have passed. */
  get trips(): number {
    return this.ways / 2;
  }

  /** Lets what is under way in both directions arrive, and both sides do what they do then. What they send sets off. */
  async pass(): Promise<void> {
    const underWay = this.#ends.map((end) => end.incomingBytes);
    for (const [at, end] of this.#ends.entries()) end.admit(underWay[at]!);
    await this.quiet();
    for (const end of this.#ends) end.stall();
    this.ways++;
  }

  /** Resolves when both sides have done what they can. */
  async quiet(): Promise<void> {
    for (let before = "";;) {
      await settle();
      const now = this.#ends.map((end) => `${end.incomingBytes} ${end.writes.length}`).join(" ");
      if (now === before) return;
      before = now;
    }
  }

  /** Makes it a short link. */
  end(): void {
    for (const end of this.#ends) end.resume();
  }
}
