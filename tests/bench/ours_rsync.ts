/** Measures how this library copies folders. Run as a part of ours.ts. */

import { Group, RSync } from "../../mod.ts";
import type { Gateway } from "../../mod.ts";
import type { Figures, Task } from "./player.ts";
import type { Copy } from "./scene.ts";
import { expect, peakRssOf, resetPeakRss, rssOf, sleep } from "./util.ts";

/** How long memory and the wire are left to come to rest. */
const REST_MS = 1000;

const gateways: Promise<Gateway>[] = [];
const group = new Group();

/** Gateways for the targets, the same for all rounds. */
async function gatewaysFor({ to, folder }: Copy): Promise<Gateway[]> {
  return await Promise.all(to.map((_, i) => gateways[i] ??= group.makeGateway(specFor(folder))));
}

/** They may do what the documentation of RSync says that they must. */
function specFor(folder: string, way = "popen"): string {
  return `${way}//allow-read=${folder}//allow-write=${folder}`;
}

/** Copies to all targets at once. Resolves with the milliseconds that takes; the gateways are there already. */
async function copy({ from, to }: Copy, gateways: readonly Gateway[]): Promise<number> {
  const began = performance.now();
  const rsync = new RSync(from);
  for (const [i, target] of to.entries()) rsync.addTarget(gateways[i]!, target);
  const results = await rsync.send();
  const time = performance.now() - began;
  for (const { errors } of results) if (errors.length > 0) throw errors[0];
  expect(results.length, to.length, "results");
  return time;
}

/** Milliseconds for a copy. */
export async function rsync({ copy: what }: Task): Promise<number> {
  return await copy(what!, await gatewaysFor(what!));
}

/** What a copy adds to the memory of either side at its highest, in MiB: the first copy of both programs. */
export async function rsyncMemory({ copy: what }: Task): Promise<Figures> {
  const [gateway] = await gatewaysFor(what!);
  const { pid } = await gateway!.remoteInfo();
  await sleep(REST_MS);
  const before = { local: rssOf(Deno.pid), remote: rssOf(pid) };
  for (const one of [Deno.pid, pid]) resetPeakRss(one);
  await copy(what!, [gateway!]);
  return { local: peakRssOf(Deno.pid) - before.local, remote: peakRssOf(pid) - before.remote };
}

/** KiB that a copy sends over the wire in both directions, counted there by a relay. */
export async function rsyncWire(task: Task): Promise<number> {
  return await wireOf(task, () => Promise.resolve());
}

/** The same for a copy over a gateway that has just made one: to a folder of its own, so that this one has done nothing. */
export async function rsyncWireAgain(task: Task): Promise<number> {
  return await wireOf(task, async (gateway) => {
    const { from, folder } = task.copy!;
    await copy({ from, to: [`${folder}/before`], folder }, [gateway]);
  });
}

async function wireOf({ copy: what }: Task, before: (gateway: Gateway) => Promise<void>): Promise<number> {
  const counts = `${what!.folder}/counts`;
  const relay = new URL("./wire_relay.ts", import.meta.url).pathname;
  const way = `command=${Deno.execPath()} run --quiet -A ${relay} ${counts}`;
  await using gateway = await group.makeGateway(specFor(what!.folder, way));
  await gateway.remoteInfo();
  await before(gateway);
  await sleep(REST_MS);
  const began = counted(counts);
  await copy(what!, [gateway]);
  await sleep(REST_MS);
  return (counted(counts) - began) / 1024;
}

function counted(counts: string): number {
  return Deno.readTextFileSync(counts).split(" ").reduce((sum, one) => sum + Number(one), 0);
}

/** Ends the gateways. */
export async function endCopying(): Promise<void> {
  await group.terminate();
}
