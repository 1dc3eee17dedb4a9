/** What a receiver turns items into. */

import { assertEquals, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import { type Channel, RemoteError } from "../../mod.ts";
import { forEachKind } from "./kinds.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

forEachKind(
  "channel.reconfigure() turns what is received here, nested and raw, unread items too",
  async ({ open }) => {
    const channel = (await open()).remoteExec(`
    const bytes = (text) => new TextEncoder().encode(text);
    await channel.send(bytes("plain"));
    await channel.send(bytes("unread"));
    await channel.send(bytes("x".repeat(50_000)));
    await channel.send({ list: [bytes("a"), 1n], map: new Map([["__proto__", 2n ** 60n]]) });
    await channel.send(await channel.receive());
  `);
    assertEquals(await channel.receive(), bytes("plain"));
    channel.reconfigure({ bytesAsString: true, bigintAsNumber: true, mapsAsObjects: true });
    assertEquals(await channel.receive(), "unread");
    assertEquals(await channel.receive(), "x".repeat(50_000));
    assertEquals(await channel.receive(), {
      list: ["a", 1],
      map: JSON.parse('{"__proto__": 0}', (key, value) => key === "__proto__" ? 2n ** 60n : value),
    });
    // What is sent stays as it is.
    channel.reconfigure({});
    await channel.send([bytes("b"), 3n]);
    assertEquals(await channel.receive(), [bytes("b"), 3n]);
  },
);

forEachKind("channel.reconfigure() works in remote code, and concerns that side only", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    channel.reconfigure({ stringAsBytes: true, bigintAsNumber: true });
    const item = await channel.receive();
    await channel.send([item[0] instanceof Uint8Array, typeof item[1]]);
    channel.reconfigure({ mapsAsObjects: true });
    await channel.send(Object.keys(await channel.receive()));
    await channel.send([new Uint8Array([65]), 1n]);
    channel.reconfigure({ bytesAsText: true });
  `);
  await channel.send(["text", 1n]);
  assertEquals(await channel.receive(), [true, "number"]);
  await channel.send(new Map([["a", 1], ["b", 2]]));
  assertEquals(await channel.receive(), ["a", "b"]);
  assertEquals(await channel.receive(), [bytes("A"), 1n]);
  await assertRejects(() => channel.receive(), RemoteError, "bytesAsText");
});

forEachKind("gateway.reconfigure() concerns the channels that are met from then on", async ({ open }) => {
  const gateway = await open();
  const code = `
    const other = await channel.receive();
    const made = channel.gateway.newChannel();
    for (const one of [channel, other]) await one.send(1n);
    await channel.send(made);
    await made.send(1n);
  `;
  const before = gateway.remoteExec(code);
  const otherBefore = gateway.newChannel();
  gateway.reconfigure({ bigintAsNumber: true });
  const after = gateway.remoteExec(code);
  const otherAfter = gateway.newChannel();
  for (const [channel, other] of [[before, otherBefore], [after, otherAfter]] as const) {
    await channel.send(other);
    const expected = channel === before ? 1n : 1;
    assertEquals(await channel.receive(), expected);
    assertEquals(await other.receive(), expected);
    const made = await channel.receive() as Channel;
    assertEquals(await made.receive(), 1);
    await channel.waitClose();
  }
  gateway.reconfigure({ bytesAsString: true });
  assertEquals(await gateway.remoteExec(`channel.send(1n)`).receive(), 1n);
  gateway.reconfigure({});
  assertThrows(() => gateway.reconfigure({ strings: true } as never), TypeError, `gateway "${gateway.id}"`);
  assertThrows(() => gateway.reconfigure(undefined as never), TypeError);
});

forEachKind("channel.reconfigure() holds for callbacks, iteration and files", async ({ open }) => {
  const gateway = await open();
  const code = `for (const text of ["a\\n", "b"]) await channel.send(new TextEncoder().encode(text))`;
  gateway.reconfigure({ bytesAsString: true });
  assertEquals(await Array.fromAsync(gateway.remoteExec(code)), ["a\n", "b"]);
  const items: unknown[] = [];
  const channel = gateway.remoteExec(code);
  channel.setCallback((item) => items.push(item));
  await channel.waitClose();
  assertEquals(items, ["a\n", "b"]);
  assertEquals(await gateway.remoteExec(code).makeFile("r").read(2), "a\n");
});
