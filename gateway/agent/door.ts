/** Where programs that an agent starts for its caller bring their links: one Unix socket for all of them. */

import { doorPath, NONCE_BYTES } from "../process/link.ts";
import type { BypassPlace } from "../process/link.ts";
import { isGranted } from "../process/granted.ts";
import type { AgentConfig } from "../process/config.ts";
import { after } from "./after.ts";

/** How long a door that could take nothing waits. */
const PAUSE_MS = 100;

/** The path of an agent's door; undefined where it has no folder of its own, or may not listen there. */
export function doorOf(
  { execmodel }: AgentConfig,
  folder: string,
  bypass: BypassPlace | undefined,
): string | undefined {
  // Otherwise the folder has gone with the meeting.
  if (folder === "" || execmodel !== "process" && bypass === undefined) return undefined;
  const path = doorPath(folder);
  const may = isGranted({ name: "read", path }) && isGranted({ name: "write", path }) &&
    isGranted({ name: "net", host: `unix:${path}` });
  return may ? path : undefined;
}

/** Takes connections, and hands each to whoever expects the proof that it shows. */
export class Door {
  readonly #path: string;
  readonly #expected = new Map<string, (connection: Deno.UnixConn) => void>();
  #open = false;

  /** Listens from the first expectation on. */
  constructor(path: string) {
    this.#path = path;
  }

  /** The connection that shows this proof. Never resolves once it is given up by `signal`. */
  expect(nonce: string, signal: AbortSignal): Promise<Deno.UnixConn> {
    if (!this.#open) {
      const listener = Deno.listen({ transport: "unix", path: this.#path });
      this.#open = true;
      void this.#run(listener);
    }
    const { promise, resolve } = Promise.withResolvers<Deno.UnixConn>();
    this.#expected.set(nonce, resolve);
    signal.addEventListener("abort", () => this.#expected.delete(nonce));
    return promise;
  }

  async #run(listener: Deno.UnixListener): Promise<void> {
    while (true) {
      try {
        void this.#admit(await listener.accept());
      } catch {
        // This program has no descriptor left, for now.
        await new Promise<void>((resolve) => after(PAUSE_MS, resolve));
      }
    }
  }

  async #admit(connection: Deno.UnixConn): Promise<void> {
    const nonce = await proofOf(connection).catch(() => "");
    const take = this.#expected.get(nonce);
    if (take === undefined) return connection.close();
    this.#expected.delete(nonce);
    take(connection);
  }
}

/** What a connection shows first, in hexadecimal digits. */
async function proofOf(connection: Deno.UnixConn): Promise<string> {
  const proof = new Uint8Array(NONCE_BYTES);
  for (let got = 0; got < NONCE_BYTES;) {
    const count = await connection.read(proof.subarray(got));
    if (count === null) return "";
    got += count;
  }
  return proof.toHex();
}
