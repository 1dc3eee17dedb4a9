/** Where the executions of a local process bring links of their own, past its router. */

import { NUMBER_BYTES } from "../../channel/bypasses.ts";
import { readUint48 } from "../../channel/frame.ts";
import { linkTransport } from "./link.ts";
import type { LinkTaker } from "./link.ts";
import { readExactly, showsProof } from "./process.ts";

/** More than so many that are still to prove themselves come from something else. */
const MAX_WAITING = 1_024;

/** Takes links that show the process's proof, and hands them on. */
export class BypassDoor {
  readonly #listener: Deno.UnixListener;
  readonly #nonce: string;
  /** Those that have not shown it yet, and those that nobody takes yet. */
  readonly #waiting = new Set<Deno.UnixConn>();
  readonly #shown: [connection: Deno.UnixConn, number: number][] = [];
  #taker: LinkTaker | undefined;
  #closed = false;

  /** Takes the links that come to `listener` and show `nonce`. They never keep the program alive. */
  constructor(listener: Deno.UnixListener, nonce: string) {
    this.#listener = listener;
    this.#nonce = nonce;
    listener.unref();
    void this.#run();
  }

  /** Hands on what has come and what will come. */
  open(taker: LinkTaker): void {
    this.#taker = taker;
    for (const [connection, number] of this.#shown.splice(0)) this.#hand(connection, number);
    if (this.#closed) taker.noMore();
  }

  /** Takes no more, and lets go of those that nobody has taken. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    for (const connection of this.#waiting) connection.close();
    this.#waiting.clear();
    this.#taker?.noMore();
  }

  async #run(): Promise<void> {
    try {
      while (true) void this.#admit(await this.#listener.accept());
    } catch {
      // It was closed, or this program has no descriptor left: then later executions do without a link of their own.
      this.close();
    }
  }

  async #admit(connection: Deno.UnixConn): Promise<void> {
    if (this.#waiting.size >= MAX_WAITING) return connection.close();
    connection.unref();
    this.#waiting.add(connection);
    const number = await this.#read(connection).catch(() => undefined);
    if (this.#closed) return;
    if (number === undefined) {
      this.#waiting.delete(connection);
      connection.close();
    } else if (this.#taker === undefined) {
      this.#shown.push([connection, number]);
    } else {
      this.#hand(connection, number);
    }
  }

  /** The number that a link says; undefined where it does not prove itself. */
  async #read(connection: Deno.UnixConn): Promise<number | undefined> {
    const proven = await showsProof(connection, this.#nonce);
    const words = await readExactly(connection, NUMBER_BYTES);
    return proven && words !== undefined ? readUint48(words, 0) : undefined;
  }

  #hand(connection: Deno.UnixConn, number: number): void {
    if (this.#waiting.delete(connection)) this.#taker!.link(linkTransport(connection), number);
  }
}
