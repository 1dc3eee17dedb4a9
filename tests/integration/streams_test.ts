/** The web streams of a channel. */

import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ChannelClosedError, RemoteError } from "../../mod.ts";
import { forEachKind, forEachKindShared } from "./kinds.ts";

forEachKindShared("readable gives all items and closes when the channel ends", async ({ open }) => {
  const channel = (await open()).remoteExec(`for (const i of [1, 2, 3]) channel.send(i)`);
  assert(channel.readable === channel.readable);
  assertEquals(await Array.fromAsync(channel.readable), [1, 2, 3]);
});

forEachKindShared("readable errors with the RemoteError after the last item", async ({ open }) => {
  const channel = (await open()).remoteExec(`channel.send(1); throw new Error("why")`);
  const reader = channel.readable.getReader();
  assertEquals(await reader.read(), { value: 1, done: false });
  await assertRejects(() => reader.read(), RemoteError, "why");
});

forEachKindShared("readable that is cancelled closes the channel with the reason", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const report = await channel.receive();
    await channel.send(1);
    await channel.receive().catch((error) => report.send([error.name, error.remoteMessage]));
  `);
  const report = gateway.newChannel();
  await channel.send(report);
  const reader = channel.readable.getReader();
  assertEquals((await reader.read()).value, 1);
  await reader.cancel(new RangeError("enough"));
  assert(channel.isClosed());
  assertEquals(await report.receive(), ["RemoteError", "enough"]);
});

forEachKindShared("readable does not read ahead of its reader", async ({ open }) => {
  const channel = (await open()).remoteExec(`for (const i of [1, 2, 3]) channel.send(i)`);
  const reader = channel.readable.getReader();
  assertEquals((await reader.read()).value, 1);
  reader.releaseLock();
  assertEquals(await channel.receive(), 2);
  assertEquals(await channel.receive(), 3);
});

forEachKindShared("writable sends, and ends this direction when it is closed", async ({ open }) => {
  const channel = (await open()).remoteExec(`channel.send(await Array.fromAsync(channel))`);
  assert(channel.writable === channel.writable);
  await ReadableStream.from(["a", "b", "c"]).pipeTo(channel.writable);
  assertEquals(await channel.receive(), ["a", "b", "c"]);
});

forEachKindShared("writable that is aborted closes the channel with the reason", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const report = await channel.receive();
    await channel.receive().catch((error) => report.send([error.name, error.remoteName, error.remoteMessage]));
  `);
  const report = gateway.newChannel();
  await channel.send(report);
  await channel.writable.abort(new RangeError("enough"));
  assertEquals(await report.receive(), ["RemoteError", "RangeError", "enough"]);
  assert(channel.isClosed());
});

forEachKind("writable errors when the channel is closed", async ({ open }) => {
  const channel = (await open()).remoteExec("");
  await channel.waitClose();
  const writer = channel.writable.getWriter();
  writer.closed.catch(() => {});
  await assertRejects(() => writer.write(1), ChannelClosedError);
});

forEachKindShared("readable and writable of remote code are streams too", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    const upper = new TransformStream({ transform: (text, controller) => controller.enqueue(text.toUpperCase()) });
    const writer = channel.writable.getWriter();
    for await (const text of channel.readable.pipeThrough(upper)) await writer.write(text);
  `);
  const words = ReadableStream.from(["a", "b", "c"]).pipeThrough({
    readable: channel.readable,
    writable: channel.writable,
  } as ReadableWritablePair<string, string>);
  assertEquals(await Array.fromAsync(words), ["A", "B", "C"]);
});

forEachKindShared("streams carry many large pieces from end to end", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    await ReadableStream.from((function* () {
      for (let i = 0; i < 64; i++) yield new Uint8Array(256 * 1024).fill(i);
    })()).pipeTo(channel.writable, { preventClose: true });
  `);
  let total = 0;
  let next = 0;
  for await (const piece of channel.readable as ReadableStream<Uint8Array>) {
    assertEquals(piece[piece.length - 1], next++);
    total += piece.length;
  }
  assertEquals(total, 16 * 1024 * 1024);
});
