/** What tests with hosts that are cut off have in common. */

import { assert } from "jsr:@std/assert@^1.0.19";
import { ChannelClosedError, GatewayClosedError, Group } from "../../mod.ts";
import { nothingLeft } from "../helpers/leaks.ts";
import type { FarSide } from "../helpers/leaks.ts";
import { limited } from "../helpers/wait.ts";
import { HOSTS } from "../parts/hosts.ts";
import type { Hosts } from "../parts/hosts.ts";
import { testWith } from "../parts/need.ts";

/** The interval of gateways that are to be found dead soon. */
export const KEEPALIVE_MS = 400;

/** Silence is noticed at the first look after three intervals; a busy machine looks late. */
export const NOTICED_MS: number = 4 * KEEPALIVE_MS + 3_000;

/** The spec of a gateway on a host. */
export function specOn(hosts: Hosts, at: number, keys = ""): string {
  return `ssh=${hosts.host(at)}//ssh_config=${hosts.config}${keys === "" ? "" : `//${keys}`}`;
}

/** What of ours runs on a host: not the server's own process for a connection, of whose end nobody has told it. */
export function oursOn(hosts: Hosts, at: number): FarSide {
  return { processes: () => hosts.on(at).processes().filter(({ command }) => !command.startsWith("sshd")) };
}

/** Registers a test with a group. After it all hosts are whole again, and nothing is left on any of them. */
export function testOnHosts(
  name: string,
  hosts: () => Hosts,
  body: (group: Group, hosts: Hosts) => Promise<void>,
): void {
  testWith(HOSTS, name, async () => {
    const all = hosts();
    const places = all.sshd.map((_, index) => index + 1);
    try {
      await using group = new Group();
      await body(group, all);
    } finally {
      for (const at of places) await all.mend(at);
    }
    // The servers learn that a connection is gone when they send something into it.
    for (const at of places) await nothingLeft(all.on(at), [], 30_000);
  }, { limit: 90_000 });
}

/** Fails unless a promise rejects in time because its gateway was found dead. */
export async function foundDead(
  what: string,
  waiting: Promise<unknown>,
  ms: number = NOTICED_MS,
): Promise<void> {
  const error = await limited(what, waiting.then(() => "a value", (error) => error), ms);
  const closed = error instanceof ChannelClosedError ? error.cause : error;
  assert(closed instanceof GatewayClosedError, `${what}: ${error}`);
  assert(/no sign of life for \d+ ms/.test(error.message), `${what}: ${error.message}`);
}
