/** Executing text: what the code finds, how it runs, and how its channel ends. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertThrows,
} from "jsr:@std/assert@^1.0.19";
import { Channel, ChannelClosedError, EOFError, GatewayClosedError, RemoteError } from "../../mod.ts";
import { until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared, SEPARATE } from "./kinds.ts";

forEachKindShared("remoteExec() returns a channel at once and answers over it", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`channel.send((await channel.receive()) + 1)`);
  assertInstanceOf(channel, Channel);
  assert(channel.gateway === gateway);
  assert(!channel.isClosed());
  await channel.send(41);
  assertEquals(await channel.receive(), 42);
});

forEachKind("remoteExec() gives plain code its channel, its gateway's id and its name", async ({ open }) => {
  const gateway = await open("id=alpha");
  const channel = gateway.remoteExec(`channel.send([__name__, channel.gateway.id, channel.id])`);
  assertEquals(await channel.receive(), ["__channelexec__", "alpha", channel.id]);
});

forEachKind("remoteExec() gives a module its channel, its gateway's id and its name", async ({ open }) => {
  const gateway = await open("id=alpha");
  const channel = gateway.remoteExec(`
    const facts: unknown[] = [__name__, channel.gateway.id, channel.id];
    await channel.send(facts);
  `);
  assertEquals(await channel.receive(), ["__channelexec__", "alpha", channel.id]);
});

forEachKindShared("remoteExec() runs TypeScript with types, interfaces and enums", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    interface Job { count: number }
    enum Kind { First = 7 }
    const job = (await channel.receive()) as Job;
    await channel.send(job.count + Kind.First satisfies number);
  `);
  await channel.send({ count: 3 });
  assertEquals(await channel.receive(), 10);
});

forEachKindShared("remoteExec() runs imports that need no permission", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    import { basename } from "node:path";
    import { seven } from "data:text/typescript,export const seven: number = 7";
    const { eight } = await import("data:text/javascript,export const eight = 8");
    await channel.send([basename("/a/b"), seven, eight]);
  `);
  assertEquals(await channel.receive(), ["b", 7, 8]);
});

forEachKindShared("remoteExec() runs plain code with a dynamic import", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    const { eight } = await import("data:text/javascript,export const eight = 8");
    await channel.send(eight);
  `);
  assertEquals(await channel.receive(), 8);
});

forEachKindShared("remoteExec() removes the common indentation, also inside text", async ({ open }) => {
  const channel = (await open()).remoteExec(`
      const text = \`one
        two
      three\`;
      channel.send(text);
  `);
  assertEquals(await channel.receive(), "one\n  two\nthree");
});

forEachKindShared("remoteExec() runs whatever its last line is", async ({ open }) => {
  const gateway = await open();
  for (
    const source of ["channel.send(1) // the end", "channel.send(1) /* the end */", "channel.send(1);\n\n"]
  ) {
    assertEquals(await gateway.remoteExec(source).receive(), 1);
    assertEquals(await gateway.remoteExec(`const typed: null = null; ${source}`).receive(), 1);
  }
});

forEachKindShared("remoteExec() runs code that exports and reads import.meta", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    export const value = 1;
    await channel.send(typeof import.meta.url);
  `);
  assertEquals(await channel.receive(), "string");
});

forEachKindShared("remoteExec() runs code of several MiB", async ({ open }) => {
  const text = "ä".repeat(2_000_000);
  const channel = (await open()).remoteExec(`const text: string = "${text}"; channel.send(text.length)`);
  assertEquals(await channel.receive(), 2_000_000);
});

forEachKindShared("remoteExec() ends its channel when the code has ended", async ({ open }) => {
  const gateway = await open();
  for (const source of ["", "function unused() {}", "const x: number = 1;", "await Promise.resolve()"]) {
    const channel = gateway.remoteExec(source);
    await channel.waitClose({ timeout: 5_000 });
    assert(channel.isClosed());
    await assertRejects(() => channel.receive(), EOFError);
    await assertRejects(() => channel.send(1), ChannelClosedError);
  }
});

forEachKindShared("remoteExec() lets what was sent without await arrive", async ({ open }) => {
  const channel = (await open()).remoteExec(`for (let i = 0; i < 100; i++) channel.send(i)`);
  const items = await Array.fromAsync(channel);
  assertEquals(items, Array.from({ length: 100 }, (_, i) => i));
});

forEachKindShared("remoteExec() runs executions at the same time", async ({ open }) => {
  const gateway = await open();
  const echo = `channel.send("ready"); await channel.receive().then((item) => channel.send(item))`;
  const first = gateway.remoteExec(echo);
  const second = gateway.remoteExec(echo);
  assertEquals(await second.receive(), "ready");
  assertEquals(await first.receive(), "ready");
  await second.send(2);
  assertEquals(await second.receive(), 2);
  await first.send(1);
  assertEquals(await first.receive(), 1);
});

forEachKindShared("remoteExec() loses nothing when executions send at the same time", async ({ open }) => {
  const gateway = await open();
  const numbers = Array.from({ length: 5 }, (_, i) => i);
  const channels = numbers.map((i) =>
    gateway.remoteExec(`for (let i = 0; i < 10; i++) await channel.send("${i}:" + i)`)
  );
  const all = await Promise.all(channels.map((channel) => Array.fromAsync(channel)));
  assertEquals(all, numbers.map((i) => numbers.concat([5, 6, 7, 8, 9]).map((j) => `${i}:${j}`)));
});

forEachKindShared("remoteExec() runs many executions one after the other", async ({ open }) => {
  const gateway = await open();
  for (let i = 0; i < 20; i++) {
    const channel = gateway.remoteExec(`channel.send(${i})`);
    assertEquals(await channel.receive(), i);
    await channel.waitClose();
  }
  await until("no execution is left", async () => {
    const { numExecuting, numChannels } = await gateway.remoteStatus();
    return numExecuting === 0 && numChannels === 0;
  });
});

forEachKindShared("remoteExec() gives each execution globals of its own", async ({ open }) => {
  const gateway = await open();
  await gateway.remoteExec(`globalThis.left = 1; Array.prototype.left = 2`).waitClose();
  const channel = gateway.remoteExec(`channel.send([typeof globalThis.left, typeof [].left])`);
  assertEquals(await channel.receive(), ["undefined", "undefined"]);
}, { models: SEPARATE });

forEachKindShared("remoteExec() shares globals between executions", async ({ open }) => {
  const gateway = await open();
  await gateway.remoteExec(`globalThis.left = 1`).waitClose();
  assertEquals(await gateway.remoteExec(`channel.send(globalThis.left)`).receive(), 1);
}, { models: ["main"] });

forEachKindShared(
  "remoteExec() keeps the channels of executions apart that are modules",
  async ({ open }) => {
    const gateway = await open();
    const source = `
    const mine: unknown = await channel.receive();
    await channel.receive();
    await channel.send([mine, channel.id]);
  `;
    const channels = ["a", "b", "c"].map(() => gateway.remoteExec(source));
    for (const [i, channel] of channels.entries()) await channel.send(i);
    for (const channel of channels.toReversed()) await channel.send(null);
    for (const [i, channel] of channels.entries()) assertEquals(await channel.receive(), [i, channel.id]);
  },
);

forEachKindShared("remoteExec() lets a module declare a channel of its own", async ({ open }) => {
  const gateway = await open();
  const side = gateway.newChannel();
  const first = gateway.remoteExec(`const { side }: any = await channel.receive(); globalThis.side = side;`);
  await first.send({ side });
  await first.waitClose();
  const channel = gateway.remoteExec(`
    const channel: { send(item: unknown): void } = globalThis.side;
    channel.send(typeof __name__);
  `);
  await channel.waitClose();
  assertMatch(String(await side.receive()), /^(string|undefined)$/);
}, { models: ["main"] });

forEachKindShared("remoteExec() refuses an explicit close() by remote code", async ({ open }) => {
  const gateway = await open();
  for (const type of ["", ": string"]) {
    const channel = gateway.remoteExec(`const why${type} = "x"; await channel.close()`);
    const error = await assertRejects(() => channel.waitClose(), RemoteError);
    assert(/explicit/.test((error as RemoteError).remoteMessage), (error as RemoteError).remoteMessage);
  }
});

forEachKindShared("remoteExec() refuses an explicit close(error) or kill()", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    for (const end of [() => channel.close("mine"), () => channel.kill()]) {
      try { await end(); await channel.send("ended"); } catch (error) { await channel.send(error.message); }
    }
  `);
  for (let way = 0; way < 2; way++) assert(/explicit/.test(String(await channel.receive())));
  await channel.waitClose();
});

forEachKindShared(
  "remoteExec() throws a TypeError when the source is nothing that can be executed",
  async ({ open }) => {
    const gateway = await open();
    for (const source of [42, null, undefined, {}, [], true]) {
      assertThrows(() => gateway.remoteExec(source as never), TypeError);
    }
    assertEquals(await gateway.remoteExec("channel.send(1)").receive(), 1);
  },
);

forEachKind("remoteExec() throws a GatewayClosedError when the gateway has ended", async ({ open }) => {
  const gateway = await open();
  gateway.exit();
  await gateway.join();
  assertThrows(() => gateway.remoteExec("channel.send(1)"), GatewayClosedError);
  assertThrows(() => gateway.newChannel(), GatewayClosedError);
});
