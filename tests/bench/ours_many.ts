/** Measures many gateways at once, and many channels on one. Run as a part of ours.ts. */

import { Group, makeGateway } from "../../mod.ts";
import type { Channel, Gateway } from "../../mod.ts";
import type { Figures, Task } from "./player.ts";
import { expect, rssOf, sleep } from "./util.ts";

/** Keeps the channels that it is sent, then answers on each of them once. */
const KEEP = `
  const kept = [];
  for await (const one of channel) {
    if (one === null) break;
    kept.push(one);
  }
  for (const one of kept) await one.send(await one.receive());
  await channel.receive();`;

/** How long memory is left to come to rest. */
const REST_MS = 1000;

async function firstItem(gateway: Gateway): Promise<void> {
  expect(await gateway.remoteExec("channel.send(1)").receive(), 1, "the first item");
}

async function startAll(spec: string, size: number): Promise<Group> {
  const group = new Group();
  await Promise.all(
    Array.from({ length: size }, async () => await firstItem(await group.makeGateway(spec))),
  );
  return group;
}

/** Milliseconds for `size` gateways that start at the same time, execute something each, and end. */
export async function many({ kind, size }: Task): Promise<number> {
  const began = performance.now();
  const group = await startAll(kind === "main" ? "popen//execmodel=main" : "popen", size);
  expect((await group.terminate()).every(({ forced }) => !forced), true, "ended by themselves");
  return performance.now() - began;
}

/** The same with gateways in this process, and what each of them holds while it is idle. */
export async function workers({ size }: Task): Promise<Figures> {
  const before = rssOf(Deno.pid);
  const began = performance.now();
  const group = await startAll("worker", size);
  const started = performance.now() - began;
  await sleep(REST_MS);
  const rss = (rssOf(Deno.pid) - before) / size;
  const ending = performance.now();
  expect((await group.terminate()).length, size, "gateways that ended");
  return { time: started + performance.now() - ending, rss };
}

/** Channels a second that are opened, handed over and used once; what an idle one holds on either side, in bytes. */
export async function channels({ kind, size }: Task): Promise<Figures> {
  await using gateway = await makeGateway(kind === "main" ? "popen//execmodel=main" : "popen");
  const { pid } = await gateway.remoteInfo();
  const carrier = gateway.remoteExec<Channel<number, number> | null>(KEEP);
  await sleep(REST_MS);
  const before = { local: rssOf(Deno.pid), remote: rssOf(pid) };
  const began = performance.now();
  const opened: Channel<number, number>[] = [];
  for (let i = 0; i < size; i++) {
    const channel = gateway.newChannel<number, number>();
    await carrier.send(channel);
    opened.push(channel);
  }
  await carrier.send(null);
  for (const [i, channel] of opened.entries()) await channel.send(i);
  for (const [i, channel] of opened.entries()) expect(await channel.receive(), i, "the item sent back");
  const rate = size * 1000 / (performance.now() - began);
  await sleep(REST_MS);
  const bytes = 1024 * 1024 / size;
  const local = (rssOf(Deno.pid) - before.local) * bytes;
  const remote = (rssOf(pid) - before.remote) * bytes;
  expect((await gateway.remoteStatus()).numChannels, size + 1, "open channels");
  await carrier.send(null);
  await carrier.waitClose();
  return { rate, local, remote };
}
