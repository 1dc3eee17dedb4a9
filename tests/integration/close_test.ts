/** Ends that one side makes: half closes, closes with and without an error, from here and from there. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "jsr:@std/assert@^1.0.19";
import { type Channel, ChannelClosedError, EOFError, RemoteError } from "../../mod.ts";
import { TextTap, until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared } from "./kinds.ts";

forEachKindShared(
  "closeWrite() ends the reads of the other side, whose sends still arrive",
  async ({ open }) => {
    const channel = (await open()).remoteExec(`
    let sum = 0;
    for await (const item of channel) sum += item;
    await channel.send(sum);
    await channel.send("end");
  `);
    for (const i of [1, 2, 3]) await channel.send(i);
    await channel.closeWrite();
    await channel.closeWrite();
    assert(!channel.isClosed());
    await assertRejects(() => channel.send(4), ChannelClosedError);
    assertEquals(await channel.receive(), 6);
    assertEquals(await channel.receive(), "end");
    await channel.waitClose();
    assert(channel.isClosed());
  },
);

forEachKindShared(
  "closeWrite() by remote code ends the reads here, while sends still arrive there",
  async ({ open }) => {
    const gateway = await open();
    const channel = gateway.remoteExec(`
    const report = await channel.receive();
    await channel.send(1);
    await channel.closeWrite();
    const late = await channel.send(2).catch((error) => error.name);
    for await (const item of channel) await report.send(item);
    await report.send(late);
  `);
    const report = gateway.newChannel();
    await channel.send(report);
    assertEquals(await Array.fromAsync(channel), [1]);
    await channel.send("a");
    await channel.send("b");
    await channel.closeWrite();
    assertEquals([await report.receive(), await report.receive()], ["a", "b"]);
    assertEquals(await report.receive(), "ChannelClosedError");
  },
);

forEachKindShared("closeWrite() from both sides closes a channel that was passed", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const other = await channel.receive();
    await other.send("from there");
    await other.closeWrite();
    await channel.send(other.isClosed());
    const items = await Array.fromAsync(other);
    await channel.send([items, other.isClosed()]);
  `);
  const other = gateway.newChannel();
  await channel.send(other);
  assertEquals(await Array.fromAsync(other), ["from there"]);
  assert(!other.isClosed());
  assertEquals(await channel.receive(), false);
  await other.send("from here");
  await other.closeWrite();
  assert(other.isClosed());
  assertEquals(await channel.receive(), [["from here"], true]);
});

forEachKindShared("close(error) gives the other side that error once", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const [other, report] = await channel.receive();
    const caught = [];
    for (let i = 0; i < 3; i++) {
      await other.receive().catch((error) => caught.push([error.name, error.remoteName, error.remoteMessage]));
    }
    await report.send(caught);
  `);
  const other = gateway.newChannel();
  const report = gateway.newChannel();
  await channel.send([other, report]);
  await other.close(new RangeError("too far"));
  const [first, ...later] = await report.receive() as string[][];
  assertEquals(first, ["RemoteError", "RangeError", "too far"]);
  assertEquals(later.map(([name]) => name), ["EOFError", "EOFError"]);
});

forEachKindShared("close(text) gives remote code a RemoteError on its own channel", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const report = await channel.receive();
    await channel.receive().catch((error) => report.send([error.name, error.remoteMessage]));
    await channel.receive().catch((error) => report.send(error.name));
    await channel.send(1).catch((error) => report.send(error.name));
  `);
  const report = gateway.newChannel();
  await channel.send(report);
  await channel.close("that is all");
  assertEquals(await report.receive(), ["RemoteError", "that is all"]);
  assertEquals(await report.receive(), "EOFError");
  assertEquals(await report.receive(), "ChannelClosedError");
});

forEachKindShared(
  "close(error) by remote code gives this side that error, its fields and its cause",
  async ({ open }) => {
    const gateway = await open();
    const channel = gateway.remoteExec(`
    const other = await channel.receive();
    await other.send("last");
    const error = Object.assign(new TypeError("odd", { cause: new RangeError("far") }), { code: 7, tags: ["a"] });
    await other.close(error);
    await channel.send(other.isClosed());
  `);
    const other = gateway.newChannel();
    await channel.send(other);
    assertEquals(await channel.receive(), true);
    assertEquals(await other.receive(), "last");
    const error = await assertRejects(() => other.receive(), RemoteError) as RemoteError;
    assertEquals([error.remoteName, error.remoteMessage, error.gatewayId], ["TypeError", "odd", gateway.id]);
    assertEquals(error.fields, { code: 7, tags: ["a"] });
    const cause = error.cause as RemoteError;
    assertInstanceOf(cause, RemoteError);
    assertEquals([cause.remoteName, cause.remoteMessage], ["RangeError", "far"]);
    await assertRejects(() => other.receive(), EOFError);
  },
);

forEachKindShared("close() is idempotent and leaves queued items readable", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const other = await channel.receive();
    for (const i of [1, 2, 3]) await other.send(i);
    await channel.send("sent");
    await channel.receive();
  `);
  const other = gateway.newChannel();
  await channel.send(other);
  assertEquals(await channel.receive(), "sent");
  assertEquals(await other.receive(), 1);
  await other.close();
  await other.close();
  await other.close("too late");
  assert(other.isClosed());
  assertEquals(await other.receive(), 2);
  assertEquals(await other.receive(), 3);
  await assertRejects(() => other.receive(), EOFError);
  await other.waitClose();
});

forEachKindShared("close() ends the calls that wait here", async ({ open }) => {
  const channel = (await open()).remoteExec(`await channel.receive()`);
  const receive = assertRejects(() => channel.receive(), EOFError);
  const wait = channel.waitClose();
  await channel.close();
  await receive;
  await wait;
});

forEachKindShared("close() refuses an error that is none", async ({ open }) => {
  const channel = (await open()).remoteExec(`channel.send(await channel.receive())`);
  await assertRejects(() => channel.close(42 as never), TypeError);
  assert(!channel.isClosed());
  await channel.send(1);
  assertEquals(await channel.receive(), 1);
});

forEachKindShared("close() lets what was sent arrive", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const report = await channel.receive();
    let total = 0;
    for await (const item of channel) total += item.length;
    await report.send(total);
  `);
  const report = gateway.newChannel();
  await channel.send(report);
  for (let i = 0; i < 8; i++) channel.send(new Uint8Array(300_000)).catch(() => {});
  await channel.close();
  assertEquals(await report.receive(), 2_400_000);
});

forEachKindShared("close() does not stop the remote code, which sees the end", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const report = await channel.receive();
    await channel.receive().catch((error) => report.send(error.name));
    await channel.send(1).catch((error) => report.send(error.name));
    await report.send([channel.isClosed(), await report.receive()]);
  `);
  const report = gateway.newChannel();
  await channel.send(report);
  await channel.close();
  assertEquals(await report.receive(), "EOFError");
  assertEquals(await report.receive(), "ChannelClosedError");
  await report.send("alive");
  assertEquals(await report.receive(), [true, "alive"]);
});

forEachKind("close() ends remote code quietly when its own channel's error escapes", async ({ open }) => {
  const gateway = await open("", { stderr: "piped" });
  const output = new TextTap(gateway.stderr!);
  const sources = [
    `await channel.receive()`,
    `while (true) { await channel.send(1); await new Promise((resolve) => setTimeout(resolve, 1)) }`,
    `const forever: true = true; while (forever) await channel.receive()`,
    `for await (const _ of channel); await channel.send(1);`,
  ];
  for (const source of sources) {
    const channel: Channel = gateway.remoteExec(source);
    await channel.close();
    await channel.waitClose();
  }
  await until("no execution is left", async () => (await gateway.remoteStatus()).numExecuting === 0);
  assertEquals((await gateway.remoteStatus()).numChannels, 0);
  gateway.exit();
  await gateway.join();
  await output.ended;
  assertEquals(output.text, "");
});

forEachKindShared("close() drops what arrives later, without end", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const [other, report] = await channel.receive();
    let sent = 0;
    try {
      while (true) { await other.send(new Uint8Array(100_000)); sent++ }
    } catch (error) {
      await report.send(error.name);
    }
  `);
  const other = gateway.newChannel();
  const report = gateway.newChannel();
  await channel.send([other, report]);
  await other.receive();
  await other.close();
  assertEquals(await report.receive(), "ChannelClosedError");
});

forEachKind("[Symbol.asyncDispose]() closes the channel", async ({ open }) => {
  const gateway = await open();
  const report = gateway.newChannel();
  {
    await using channel = gateway.remoteExec(`
      const report = await channel.receive();
      await channel.receive().catch((error) => report.send(error.name));
    `);
    await channel.send(report);
  }
  assertEquals(await report.receive(), "EOFError");
});
