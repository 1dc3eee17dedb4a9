/** Channels as parts of items: in both directions, there and back, and where that is refused. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "jsr:@std/assert@^1.0.19";
import { Channel, DumpError, EOFError, RemoteError } from "../../mod.ts";
import { until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared, SEPARATE } from "./kinds.ts";

forEachKindShared("a channel may sit anywhere in an item, to the other side", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const { list: [, one], map } = await channel.receive();
    await one.send("one");
    await map.get("two").send("two");
  `);
  const [one, two] = [gateway.newChannel(), gateway.newChannel()];
  await channel.send({ list: [0, one], map: new Map([["two", two]]) });
  assertEquals(await one.receive(), "one");
  assertEquals(await two.receive(), "two");
});

forEachKindShared("a channel may sit anywhere in an item, from the other side", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    const one = channel.gateway.newChannel();
    const two = channel.gateway.newChannel();
    await channel.send({ list: [0, one], map: new Map([["two", two]]) });
    await one.send(await two.receive());
    await one.receive();
  `);
  const item = await channel.receive() as unknown as { list: [number, Channel]; map: Map<string, Channel> };
  const one = item.list[1];
  assertInstanceOf(one, Channel);
  await item.map.get("two")!.send("there and back");
  assertEquals(await one.receive(), "there and back");
  assert(one.gateway === channel.gateway);
  await one.send("done");
  await channel.waitClose();
});

forEachKindShared("a channel that comes back is the identical object", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const mine = channel.gateway.newChannel();
    for await (const item of channel) await channel.send([item, mine, channel]);
  `);
  const other = gateway.newChannel();
  await channel.send(other);
  const [back, mine, self] = await channel.receive() as unknown as Channel[];
  assert(back === other);
  assert(self === channel);
  await channel.send(mine!);
  const [again, same] = await channel.receive() as unknown as Channel[];
  assert(again === mine);
  assert(same === mine);
  await channel.closeWrite();
});

forEachKindShared("a channel that comes back to remote code is the identical object", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    const mine = channel.gateway.newChannel();
    await channel.send(mine);
    const [first, self] = await channel.receive();
    await channel.send([first === mine, self === channel]);
  `);
  const mine = await channel.receive() as unknown as Channel;
  await channel.send([mine, channel]);
  assertEquals(await channel.receive(), [true, true]);
});

forEachKindShared("a channel may be sent over itself and over another passed one", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const first = await channel.receive();
    const second = await first.receive();
    await second.send(second);
    await first.receive();
  `);
  const first = gateway.newChannel();
  const second = gateway.newChannel();
  await first.send(second);
  await second.send("early");
  await channel.send(first);
  assert(await second.receive() === second);
  await first.send("done");
  await channel.waitClose();
});

forEachKindShared("a passed channel carries what was sent on it before it was passed", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const other = await channel.receive();
    for await (const item of other) await channel.send(item);
  `);
  const other = gateway.newChannel();
  await other.send(1);
  await other.send(2);
  await channel.send(other);
  await other.send(3);
  await other.closeWrite();
  assertEquals([await channel.receive(), await channel.receive(), await channel.receive()], [1, 2, 3]);
});

forEachKind(
  "a passed channel that is closed before it is received keeps its items and its error",
  async (setting) => {
    const gateway = await setting.open();
    const channel = gateway.remoteExec(`
    for await (const go of channel) {
      const other = await channel.receive();
      const seen = [];
      for (let i = 0; i < 3; i++) seen.push(await other.receive().catch((error) => error.remoteMessage ?? error.name));
      await channel.send(seen);
    }
  `);
    const failed = gateway.newChannel();
    const ended = gateway.newChannel();
    await failed.send("item");
    await ended.send("item");
    channel.send("go");
    channel.send(failed);
    failed.close("why");
    assertEquals(await channel.receive(), ["item", "why", "EOFError"]);
    channel.send("go");
    channel.send(ended);
    ended.close();
    assertEquals(await channel.receive(), ["item", "EOFError", "EOFError"]);
  },
);

forEachKind(
  "a remote channel that is closed before it is received here keeps its items and its error",
  async (setting) => {
    const gateway = await setting.open();
    const channel = gateway.remoteExec(`
    const mine = channel.gateway.newChannel();
    channel.send(mine);
    await mine.send("item");
    await mine.close("why");
    await channel.send("closed");
  `);
    await channel.waitClose();
    const other = await channel.receive() as unknown as Channel;
    assertEquals(await other.receive(), "item");
    await assertRejects(() => other.receive(), RemoteError, "why");
    await assertRejects(() => other.receive(), EOFError);
  },
);

forEachKindShared("a passed channel outlives the execution that it was passed to", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const other = await channel.receive();
    other.setCallback((item) => other.send(item * 2));
  `);
  const other = gateway.newChannel();
  await channel.send(other);
  await channel.waitClose();
  await other.send(21);
  assertEquals(await other.receive(), 42);
  await other.close();
  await until("the gateway has forgotten both", async () => {
    const { numChannels, numExecuting } = await gateway.remoteStatus();
    return numChannels === 0 && numExecuting === 0;
  });
});

forEachKindShared("a channel of remote code outlives its execution", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const mine = channel.gateway.newChannel();
    mine.setCallback((item) => mine.send(item * 2));
    await channel.send(mine);
  `);
  const mine = await channel.receive() as unknown as Channel;
  await channel.waitClose();
  await mine.send(21);
  assertEquals(await mine.receive(), 42);
  await mine.close();
});

forEachKindShared("a channel of another gateway is a DumpError that names its place", async ({ open }) => {
  const gateway = await open();
  const stranger = await open();
  const foreign = stranger.newChannel();
  const channel = gateway.remoteExec(`channel.send(await channel.receive())`);
  const error = await assertRejects(
    () => channel.send({ list: [1, { it: foreign }] }),
    DumpError,
  ) as DumpError;
  assertEquals(error.path, "$.list[1].it");
  assert(error.message.includes("$.list[1].it"), error.message);
  assertEquals(foreign.isClosed(), false);
  await channel.send("fine");
  assertEquals(await channel.receive(), "fine");
});

forEachKindShared(
  "a channel of another execution is a DumpError where they share no isolate",
  async ({ open }) => {
    const gateway = await open();
    const one = gateway.remoteExec(`channel.send(await channel.receive())`);
    const two = gateway.remoteExec(`await channel.receive()`);
    const error = await assertRejects(() => one.send([two]), DumpError) as DumpError;
    assertEquals(error.path, "$[0]");
    await one.send(1);
    assertEquals(await one.receive(), 1);
  },
  { models: SEPARATE },
);

forEachKindShared(
  "a channel of another execution may be passed where they share an isolate",
  async ({ open }) => {
    const gateway = await open();
    const two = gateway.remoteExec(`channel.send(await channel.receive())`);
    const one = gateway.remoteExec(`const other = await channel.receive(); channel.send(other.id)`);
    await one.send(two);
    assertEquals(await one.receive(), two.id);
    await two.send(1);
    assertEquals(await two.receive(), 1);
  },
  { models: ["main"] },
);

forEachKindShared("many channels may be passed in one item", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const list = await channel.receive();
    await Promise.all(list.map(async (one) => one.send(await one.receive())));
    await channel.send("done");
  `);
  const list = Array.from({ length: 500 }, () => gateway.newChannel());
  await channel.send(list);
  await Promise.all(list.map((one, i) => one.send(i)));
  assertEquals(await Promise.all(list.map((one) => one.receive())), list.map((_, i) => i));
  assertEquals(await channel.receive(), "done");
});

forEachKindShared("newChannel() that is never passed leaves no trace on the far side", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.newChannel();
  await channel.send(1);
  assertEquals((await gateway.remoteStatus()).numChannels, 0);
  await channel.close();
  assert(channel.isClosed());
});
