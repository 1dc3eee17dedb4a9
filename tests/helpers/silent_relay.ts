/**
 * A relay between a client and a server that can stop passing anything on, without closing, as a dead link does, in both
 * directions or in one; or close.
 */

import { ifThere } from "../../gateway/process/process.ts";

/** To the server, or back to the client. */
export type Direction = "there" | "back";

const BOTH: readonly Direction[] = ["there", "back"];

/** A listener of its own on loopback in front of a server. */
export class SilentRelay implements AsyncDisposable {
  readonly #listener: Deno.TcpListener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #passing: Promise<void>[] = [];
  readonly #silence = new Map<Direction, PromiseWithResolvers<void>>();
  /** How many bytes may still go to the server. */
  #admitted: number;
  #isFull = false;

  /** Relays to a port of loopback; after so many bytes for the server it is cut in that direction. */
  constructor(port: number, admitted: number = Infinity) {
    this.#admitted = admitted;
    this.#passing.push(this.#accept(port));
  }

  /** Where clients connect to. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Whether it has passed on as much as it was to. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Passes on nothing any more; what comes is kept. */
  cut(directions: readonly Direction[] = BOTH): void {
    for (const direction of directions) {
      if (!this.#silence.has(direction)) this.#silence.set(direction, Promise.withResolvers<void>());
    }
  }

  /** Passes on what was kept, and all that comes. */
  mend(): void {
    this.#admitted = Infinity;
    for (const { resolve } of this.#silence.values()) resolve();
    this.#silence.clear();
  }

  /** Closes all connections that there are. */
  close(): void {
    for (const one of this.#open) ifThere(() => one.close());
    this.#open.clear();
  }

  async #accept(port: number): Promise<void> {
    for await (const client of this.#listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
      if (server === undefined) {
        client.close();
        continue;
      }
      this.#open.add(client).add(server);
      this.#passing.push(this.#pass(client, server, "there"), this.#pass(server, client, "back"));
    }
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn, direction: Direction): Promise<void> {
    const buffer = new Uint8Array(64 << 10);
    try {
      while (true) {
        const count = await from.read(buffer);
        let at = 0;
        if (count !== null && direction === "there") {
          at = await this.#passFirst(to, buffer.subarray(0, count));
        }
        await this.#silence.get(direction)?.promise;
        if (count === null) break;
        while (at < count) at += await to.write(buffer.subarray(at, count));
      }
      await to.closeWrite();
    } catch {
      // One of them is gone.
    }
  }

  /** What may still go to the server before it is cut: all of it is left to whoever passes it on, or none after this. */
  async #passFirst(to: Deno.TcpConn, bytes: Uint8Array): Promise<number> {
    if (bytes.length < this.#admitted) {
      this.#admitted -= bytes.length;
      return 0;
    }
    const first = bytes.subarray(0, this.#admitted);
    this.#admitted = 0;
    for (let at = 0; at < first.length;) at += await to.write(first.subarray(at));
    this.cut(["there"]);
    this.#isFull = true;
    return first.length;
  }

  /** Closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.mend();
    this.#listener.close();
    this.close();
    await Promise.all(this.#passing);
  }
}
