/** Where the executions of a local process bring links of their own, past its router. */

import { linkTransport, NONCE_BYTES } from "./link.ts";
import { readProof } from "./process.ts";
import type { Transport } from "../../channel/transport.ts";

/** More links than this that nobody has claimed are refused: a spare brings one, and others are claimed at once. */
const MAX_UNCLAIMED = 1_024;

/** Takes links. Each shows the process's proof and then a token, by which it is claimed. */
export class BypassDoor {
  readonly #listener: Deno.UnixListener;
  readonly #nonce: string;
  /** Those that have come, by token; those that show none yet are there under a number. */
  readonly #unclaimed = new Map<string | number, Deno.UnixConn>();
  readonly #wanted = new Map<string, PromiseWithResolvers<Transport>>();
  #count = 0;
  #closed: unknown;

  /** Takes the links that come to `listener` and show `nonce`. They never keep the program alive. */
  constructor(listener: Deno.UnixListener, nonce: string) {
    this.#listener = listener;
    this.#nonce = nonce;
    listener.unref();
    void this.#run();
  }

  /** The link with that token. Rejects when there can be none any more. */
  claim(token: Uint8Array): Promise<Transport> {
    const key = token.toHex();
    const connection = this.#unclaimed.get(key);
    this.#unclaimed.delete(key);
    if (connection !== undefined) return Promise.resolve(linkTransport(connection));
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (key.length !== 2 * NONCE_BYTES || this.#wanted.has(key)) {
      return Promise.reject(new TypeError("The token of a link is malformed, or was used before"));
    }
    const wanted = Promise.withResolvers<Transport>();
    this.#wanted.set(key, wanted);
    return wanted.promise;
  }

  /** Takes no more, and lets go of those that nobody has claimed. Idempotent. */
  close(): void {
    this.#close(new Error("The process has ended"));
  }

  #close(reason: unknown): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#listener.close();
    for (const connection of this.#unclaimed.values()) connection.close();
    this.#unclaimed.clear();
    for (const { reject } of this.#wanted.values()) reject(reason);
    this.#wanted.clear();
  }

  async #run(): Promise<void> {
    try {
      while (true) void this.#admit(await this.#listener.accept());
    } catch (error) {
      // It was closed, or this program has no descriptor left: then later executions do without a link of their own.
      this.#close(error);
    }
  }

  async #admit(connection: Deno.UnixConn): Promise<void> {
    if (this.#unclaimed.size >= MAX_UNCLAIMED) return connection.close();
    connection.unref();
    const number = this.#count++;
    this.#unclaimed.set(number, connection);
    const [proof, token] = await (async () => [await readProof(connection), await readProof(connection)])()
      .catch(() => []);
    if (!this.#unclaimed.delete(number)) return;
    if (proof !== this.#nonce || token === undefined) return connection.close();
    const wanted = this.#wanted.get(token);
    if (wanted === undefined) this.#unclaimed.set(token, connection);
    else {
      this.#wanted.delete(token);
      wanted.resolve(linkTransport(connection));
    }
  }
}
