/** A relay between a client and a server that can stop passing anything on, without closing, as a dead link does; or close. */

import { ifThere } from "../../gateway/process/process.ts";

/** A listener of its own on loopback in front of a server. */
export class SilentRelay implements AsyncDisposable {
  readonly #listener: Deno.TcpListener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #passing: Promise<void>[] = [];
  #silence: PromiseWithResolvers<void> | undefined;

  /** Relays to a port of loopback. */
  constructor(port: number) {
    this.#passing.push(this.#accept(port));
  }

  /** Where clients connect to. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Passes on nothing any more; what comes is kept. */
  cut(): void {
    this.#silence = Promise.withResolvers<void>();
  }

  /** Passes on what was kept, and all that comes. */
  mend(): void {
    this.#silence?.resolve();
    this.#silence = undefined;
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
      this.#passing.push(this.#pass(client, server), this.#pass(server, client));
    }
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 << 10);
    try {
      while (true) {
        const count = await from.read(buffer);
        await this.#silence?.promise;
        if (count === null) break;
        for (let at = 0; at < count;) at += await to.write(buffer.subarray(at, count));
      }
      await to.closeWrite();
    } catch {
      // One of them is gone.
    }
  }

  /** Closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.mend();
    this.#listener.close();
    this.close();
    await Promise.all(this.#passing);
  }
}
