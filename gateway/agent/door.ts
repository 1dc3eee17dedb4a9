/** Where programs that an agent starts for its caller bring their links: one Unix socket for all of them. */

import { doorPath, NONCE_BYTES } from "../process/link.ts";
import { isGranted } from "../process/granted.ts";
import type { AgentConfig, AgentStart } from "../process/config.ts";
import { makeNonce, readExactly } from "../process/process.ts";
import { connectsBySocket } from "../process/versions.ts";
import { after } from "./after.ts";

/** How long a door that could take nothing waits. */
const PAUSE_MS = 100;

/**
 * Opens the door of an agent: undefined where it may start no programs, is too old, has no folder of its own that stays,
 * or may not listen there.
 */
export function openDoor(config: AgentConfig, { folder, bypass }: AgentStart): Door | undefined {
  const { execmodel, permissions: { all, allow } } = config;
  if (!all && allow.run === undefined || !connectsBySocket()) return undefined;
  // Otherwise the folder has gone with the meeting.
  if (folder === "" || execmodel !== "process" && bypass === undefined) return undefined;
  const path = doorPath(folder);
  const held = isGranted({ name: "read", path }) && isGranted({ name: "write", path }) &&
    isGranted({ name: "net", host: `unix:${path}` });
  try {
    return held ? new Door(path) : undefined;
  } catch {
    // Elsewhere, there may be no place for such a folder.
    return undefined;
  }
}

/** Takes connections, and hands each to whoever expects the proof that it shows. */
export class Door {
  /** Its socket. */
  readonly path: string;
  readonly #expected = new Map<string, (connection: Deno.UnixConn) => void>();
  /** Connections by id, until they are asked for or their program has gone. */
  readonly #left = new Map<string, { connection: Deno.UnixConn; signal: AbortSignal }>();

  /** Listens. Throws where that is impossible. */
  constructor(path: string) {
    this.path = path;
    void this.#run(Deno.listen({ transport: "unix", path }));
  }

  /** Hands on the connections that show this proof, until `signal`. */
  expect(nonce: string, signal: AbortSignal, take: (connection: Deno.UnixConn) => void): void {
    this.#expected.set(nonce, take);
    signal.addEventListener("abort", () => {
      this.#expected.delete(nonce);
      for (const [id, left] of this.#left) if (left.signal === signal) this.collect(id)?.close();
    });
  }

  /** Keeps a connection for whoever asks for it by the id that this gives, until that of `expect`. */
  leave(connection: Deno.UnixConn, signal: AbortSignal): string {
    const id = makeNonce();
    this.#left.set(id, { connection, signal });
    return id;
  }

  /** Gives a connection that was left. */
  collect(id: string): Deno.UnixConn | undefined {
    const left = this.#left.get(id);
    this.#left.delete(id);
    return left?.connection;
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
    const proof = await readExactly(connection, NONCE_BYTES).catch(() => undefined);
    const take = this.#expected.get(proof?.toHex() ?? "");
    if (take === undefined) connection.close();
    else take(connection);
  }
}
