/** Measures this library, through its public interface. Run by the driver; see player.ts. */

import { agentScript } from "../../gateway/_agent_bundle.ts";
import { makeGateway } from "../../mod.ts";
import type { Channel, Gateway, Item } from "../../mod.ts";
import { serve } from "./player.ts";
import {
  channelTo,
  endChannel,
  endGateways,
  gatewayFor,
  newChannelTo,
  SOURCES,
  specFor,
} from "./ours_gateways.ts";
import { gatewayCosts, workersEach } from "./ours_costs.ts";
import { channelsEach, endGrowing, intsOver, manyEach, pingChannels, pingGateways } from "./ours_growth.ts";
import { channels, many, workers } from "./ours_many.ts";
import { endCopying, rsync, rsyncMemory, rsyncWire, rsyncWireAgain } from "./ours_rsync.ts";
import { startSsh } from "./ours_ssh.ts";
import type { Figures, Task } from "./player.ts";
import { BLOCK_BYTES, expect, expectBlock, inLanes, markBlock, median } from "./util.ts";
import { rssOf, rssOfTree, sleep, UNREAD_BYTES } from "./util.ts";

const ENDLESS = 2 ** 31;

async function start({ size }: Task): Promise<number> {
  let total = 0;
  for (let i = 0; i < size; i++) {
    const began = performance.now();
    const gateway = await makeGateway("popen");
    expect(await gateway.remoteExec("channel.send(1)").receive(), 1, "the first item");
    total += performance.now() - began;
    await gateway.terminate();
  }
  return total / size;
}

async function ping({ kind, size }: Task): Promise<number> {
  const channel = await channelTo("echo", kind);
  return await pings(channel, size);
}

/** Microseconds for a round trip. */
async function pings(channel: Channel, size: number): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < size; i++) {
    await channel.send(i % 100);
    expect(await channel.receive(), i % 100, "the echo");
  }
  return (performance.now() - began) * 1000 / size;
}

/** Has a far side send `size` items, and looks at each. */
async function takeIn(
  channel: Channel,
  size: number,
  check: (item: Item, index: number) => void,
): Promise<number> {
  const began = performance.now();
  await channel.send(size);
  for (let i = 0; i < size; i++) check(await channel.receive(), i);
  return rate(size, began);
}

function rate(size: number, began: number): number {
  return size * 1000 / (performance.now() - began);
}

async function intsIn({ kind, size }: Task): Promise<number> {
  return await takeIn(await channelTo("ints", kind), size, (item, i) => {
    if (item !== i % 1000) throw new Error(`item ${i} is ${item}`);
  });
}

async function dictsIn({ kind, size }: Task): Promise<number> {
  return await takeIn(await channelTo("dicts", kind), size, (item, i) => {
    const { id, name, vals } = item as { id: number; name: string; vals: number[] };
    if (id !== i || name !== "abc" || vals.length !== 3 || vals[2] !== 3) {
      throw new Error(`item ${i} is ${JSON.stringify(item)}`);
    }
  });
}

async function bulkIn({ kind, size }: Task): Promise<number> {
  return await takeBlocks(await channelTo("blocks", kind), size);
}

async function bulkFreshIn({ kind, size }: Task): Promise<number> {
  return await onFresh("blocks", kind, (channel) => takeBlocks(channel, size));
}

/** Measures on a channel that has carried nothing yet. */
async function onFresh(
  source: Parameters<typeof newChannelTo>[0],
  kind: string,
  measure: (channel: Channel) => Promise<number>,
): Promise<number> {
  const channel = await newChannelTo(source, kind);
  const result = await measure(channel);
  await endChannel(channel);
  return result;
}

async function takeBlocks(channel: Channel, size: number): Promise<number> {
  return await takeIn(channel, size, (item, i) => expectBlock(item, i));
}

async function intsOut({ kind, size }: Task): Promise<number> {
  const channel = await channelTo("takeInts", kind);
  const began = performance.now();
  await channel.send(size);
  for (let i = 0; i < size; i++) await channel.send(i % 1000);
  expect(await channel.receive(), 0, "wrong items");
  return rate(size, began);
}

async function bulkOut({ kind, size }: Task): Promise<number> {
  return await giveBlocks(await channelTo("takeBlocks", kind), size);
}

async function bulkFreshOut({ kind, size }: Task): Promise<number> {
  return await onFresh("takeBlocks", kind, (channel) => giveBlocks(channel, size));
}

async function giveBlocks(channel: Channel, size: number): Promise<number> {
  const block = new Uint8Array(BLOCK_BYTES);
  const began = performance.now();
  await channel.send(size);
  for (let i = 0; i < size; i++) {
    markBlock(block, i);
    await channel.send(block);
  }
  expect(await channel.receive(), 0, "wrong blocks");
  return rate(size, began);
}

async function pingUnderBulk({ kind, size }: Task): Promise<Figures> {
  const channel = await channelTo("echo", kind);
  const bulk = (await gatewayFor(kind)).remoteExec(SOURCES.blocks);
  await bulk.send(ENDLESS);
  let moved = 0;
  let stop = false;
  const moving = (async (): Promise<void> => {
    while (!stop) expectBlock(await bulk.receive(), moved++);
  })();
  while (moved < 20) await sleep(1);
  const before = moved;
  const began = performance.now();
  const time = await pings(channel, size);
  const meanwhile = rate(moved - before, began);
  stop = true;
  await moving;
  bulk.kill();
  await sleep(100);
  return { ping: time, bulk: meanwhile };
}

async function unread({ kind, size }: Task): Promise<Figures> {
  await using gateway = await makeGateway(specFor(kind));
  const { pid } = await gateway.remoteInfo();
  const channel = gateway.remoteExec(SOURCES.unread);
  const counter = gateway.newChannel<number, null>();
  await channel.send(counter as unknown as Item);
  const sent = async (): Promise<number> => {
    await counter.send(null);
    return await counter.receive();
  };
  await sleep(1000);
  const before = { local: rssOf(Deno.pid), remote: rssOf(pid) };
  await channel.send(size);
  let last = -1;
  for (let still = 0; still < 10;) {
    await sleep(50);
    const now = await sent();
    still = now === last ? still + 1 : 0;
    last = now;
  }
  const local = rssOf(Deno.pid) - before.local;
  const remote = rssOf(pid) - before.remote;
  for (let i = 0; i < size; i++) expectBlock(await channel.receive(), i, UNREAD_BYTES);
  expect(await sent(), size, "items sent");
  await channel.send(null);
  await channel.waitClose();
  return { both: local + remote, local, remote };
}

async function memory({ kind }: Task): Promise<number> {
  await using gateway = await makeGateway(specFor(kind));
  const { pid } = await gateway.remoteInfo();
  await sleep(1000);
  return kind === "process" ? rssOfTree(pid) : rssOf(pid);
}

async function execute(gateway: Gateway): Promise<void> {
  const channel = gateway.remoteExec("channel.send(1)");
  expect(await channel.receive(), 1, "the item");
  await channel.waitClose();
}

async function exec({ kind, size }: Task): Promise<number> {
  const gateway = await gatewayFor(kind);
  // Uses up the spare, so that the first of those that are timed is like the last.
  await execute(gateway);
  const began = performance.now();
  for (let i = 0; i < size; i++) await execute(gateway);
  const result = rate(size, began);
  await sleep(200);
  return result;
}

async function firstItem({ kind, size }: Task): Promise<number> {
  const gateway = await gatewayFor(kind);
  const times: number[] = [];
  for (let i = 0; i < size; i++) {
    await sleep(300);
    const began = performance.now();
    const channel = gateway.remoteExec("channel.send(1)");
    expect(await channel.receive(), 1, "the first item");
    times.push(performance.now() - began);
    await channel.waitClose();
  }
  return median(times);
}

async function call({ kind, size }: Task): Promise<number> {
  const gateway = await gatewayFor(kind);
  const began = performance.now();
  for (let i = 0; i < size; i++) {
    expect(await gateway.call((x: number) => x + 1, i), i + 1, "the result");
  }
  return rate(size, began);
}

async function calls100({ kind, size }: Task): Promise<number> {
  const gateway = await gatewayFor(kind);
  const began = performance.now();
  await inLanes(100, size, async (i) => {
    expect(await gateway.call((x: number) => x + 1, i), i + 1, "the result");
  });
  return rate(size, began);
}

await serve({
  start,
  ping,
  "idle-ping": async (task) => ({ ping: await ping(task) }),
  "ints-in": intsIn,
  "ints-out": intsOut,
  "dicts-in": dictsIn,
  "bulk-in": bulkIn,
  "bulk-out": bulkOut,
  "bulk-fresh-in": bulkFreshIn,
  "bulk-fresh-out": bulkFreshOut,
  "ping-under-bulk": pingUnderBulk,
  unread,
  memory,
  agent: () => Promise.resolve(agentScript().length / 1024),
  exec,
  "first-item": firstItem,
  call,
  "calls-100": calls100,
  many,
  workers,
  channels,
  "ping-channels": pingChannels,
  "ping-gateways": pingGateways,
  "ints-over": intsOver,
  "many-each": manyEach,
  "channels-each": channelsEach,
  "gateway-costs": gatewayCosts,
  "workers-each": workersEach,
  "start-ssh": startSsh,
  rsync,
  "rsync-memory": rsyncMemory,
  "rsync-wire": rsyncWire,
  "rsync-wire-again": rsyncWireAgain,
}, async () => {
  await Promise.all([endGateways(), endGrowing(), endCopying()]);
});
