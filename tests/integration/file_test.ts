/** Channels as files: on this side, on the far side, and between the two. */

import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ChannelClosedError, GatewayClosedError, RemoteError } from "../../mod.ts";
import { forEachKind, forEachKindShared } from "./kinds.ts";

forEachKindShared(
  "makeFile('w') in remote code writes items and leaves the channel open",
  async ({ open }) => {
    const channel = (await open()).remoteExec(`
    const file = channel.makeFile("w");
    await file.write("hello");
    await file.write(new Uint8Array([1, 2]));
    await file.flush();
    await file.close();
    await channel.send([42, file.isatty()]);
  `);
    assertEquals(await channel.receive(), "hello");
    assertEquals(await channel.receive(), new Uint8Array([1, 2]));
    assertEquals(await channel.receive(), [42, false]);
    await channel.waitClose();
  },
);

forEachKindShared(
  "a file with proxyClose cannot close the channel of an execution from inside",
  async ({ open }) => {
    const gateway = await open();
    for (const mode of ["w", "r"]) {
      const channel = gateway.remoteExec(`await channel.makeFile("${mode}", { proxyClose: true }).close()`);
      await assertRejects(() => channel.waitClose(), RemoteError, "explicit");
    }
  },
);

forEachKindShared("a file with proxyClose closes a channel of its own", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const other = await channel.receive();
    const file = other.makeFile("w", { proxyClose: true });
    await file.write("a\\nb");
    await file.close();
    await channel.send(other.isClosed());
  `);
  const other = gateway.newChannel();
  await channel.send(other);
  const file = other.makeFile("r");
  assertEquals(await Array.fromAsync(file), ["a\n", "b"]);
  assertEquals(await channel.receive(), true);
  assert(other.isClosed());
});

forEachKindShared("makeFile('w') on this side writes until the channel is closed", async ({ open }) => {
  const channel = (await open()).remoteExec(`channel.send(await channel.receive())`);
  const file = channel.makeFile("w");
  await file.write("hello");
  assertEquals(await channel.receive(), "hello");
  await channel.waitClose();
  await assertRejects(() => file.write("more"), ChannelClosedError);
  assert(!file.isTTY);
});

forEachKindShared(
  "read(n) gives exactly n characters across items, and nothing at the end",
  async ({ open }) => {
    const channel = (await open()).remoteExec(`
    const file = channel.makeFile("w");
    for (const piece of ["123", "4", "5678", "9"]) await file.write(piece);
  `);
    const file = channel.makeFile("r");
    const parts: unknown[] = [];
    for (let i = 0; i < 6; i++) parts.push(await file.read(2, { timeout: 10_000 }));
    assertEquals(parts, ["12", "34", "56", "78", "9", ""]);
  },
);

forEachKind("readLine() gives lines and the unterminated rest, here and there", async ({ open }) => {
  const gateway = await open();
  const near = gateway.remoteExec(`await channel.send("12"); await channel.send("3\\n45")`).makeFile("r");
  assertEquals([await near.readLine(), await near.readLine(), await near.readLine()], ["123\n", "45", ""]);
  const channel = gateway.remoteExec(`
    const file = channel.makeFile("r");
    await channel.send([await file.readLine(), await file.read(1), await file.readLine(), await file.readLine()]);
  `);
  for (const item of ["12", "3\n4", "5"]) await channel.send(item);
  await channel.closeWrite();
  assertEquals(await channel.receive(), ["123\n", "4", "5", ""]);
});

forEachKindShared("a failed execution is thrown after the lines that came before", async ({ open }) => {
  const channel = (await open()).remoteExec(`await channel.send("a\\nb"); throw new RangeError("why")`);
  const file = channel.makeFile("r");
  assertEquals([await file.readLine(), await file.readLine()], ["a\n", "b"]);
  await assertRejects(() => file.readLine(), RemoteError, "why");
  assertEquals(await file.readLine(), "");
});

forEachKind("a far side that dies is an error of every read after what had come", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`await channel.send("a\\nb"); await channel.receive()`);
  const file = channel.makeFile("r");
  assertEquals(await file.readLine(), "a\n");
  Deno.kill((await gateway.remoteInfo()).pid, "SIGKILL");
  assertEquals(await file.readLine(), "b");
  for (let i = 0; i < 2; i++) await assertRejects(() => file.readLine(), GatewayClosedError);
}, { local: true });

forEachKind("streams of files carry a lot of text from pipe to pipe", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    await channel.makeFile("r").readable.pipeTo(channel.makeFile("w").writable);
  `);
  const text = Array.from({ length: 40_000 }, (_, i) => `line ${i} \u{1f600}\n`).join("");
  const writing = async (): Promise<void> => {
    const file = channel.makeFile("w");
    for (let at = 0; at < text.length; at += 999) await file.write(text.slice(at, at + 999));
    await channel.closeWrite();
  };
  const written = writing();
  let got = "";
  for await (const line of channel.makeFile("r")) got += line;
  await written;
  assertEquals(got === text, true);
});
