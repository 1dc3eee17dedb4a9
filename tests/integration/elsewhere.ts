/** What tests of gateways elsewhere have in common. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { type Gateway, type GatewayOptions, Group } from "../../mod.ts";
import { nothingLeft } from "../helpers/leaks.ts";
import type { FarSide } from "../helpers/leaks.ts";
import { limited } from "../helpers/wait.ts";

/** What gateways print is of no interest. */
export const QUIET: GatewayOptions = { stderr: "null" };

/** Far more than an answer takes. */
const ANSWER_MS = 15_000;

/** Code that starts a child with a session of its own and one without, says so, and never comes back. */
export const TWO_CHILDREN = `
  new Deno.Command("sh", { args: ["-c", "setsid sleep 1000 & sleep 1000"] }).spawn();
  await channel.send(1);
  await new Promise(() => {});
`;

/** Asks a gateway for an answer. */
export async function answers(gateway: Gateway): Promise<void> {
  const channel = gateway.remoteExec("channel.send((await channel.receive()) as number + 1)");
  await channel.send(41);
  assertEquals(await limited(`an answer of ${gateway.id}`, channel.receive(), ANSWER_MS), 42);
}

/** Works with a group of its own, and sees to it that nothing runs over there afterwards. */
export async function on(place: FarSide, work: (group: Group) => Promise<void>): Promise<void> {
  const before = place.processes();
  {
    await using group = new Group();
    await work(group);
  }
  await nothingLeft(place, before);
}
