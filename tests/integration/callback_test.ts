/** Callbacks: what they get, in which order, and what ends them. */

import { assert, assertEquals, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import { type Channel, RemoteError } from "../../mod.ts";
import { limited, until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared } from "./kinds.ts";

const END = Symbol("end");

/** Sets a callback that collects; resolves with everything when the marker comes. */
function collect(channel: Channel): Promise<unknown[]> {
  const items: unknown[] = [];
  return limited(
    "the end marker",
    new Promise((resolve) => {
      channel.setCallback((item: unknown) => {
        items.push(item);
        if (item === END) resolve(items);
      }, { endMarker: END });
    }),
  );
}

forEachKindShared("setCallback() gets every item in order, then the end marker once", async ({ open }) => {
  const channel = (await open()).remoteExec(`for (let i = 0; i < 100; i++) channel.send(i)`);
  const items = await collect(channel);
  assertEquals(items, [...Array.from({ length: 100 }, (_, i) => i), END]);
  await channel.waitClose();
  assertEquals(items.length, 101);
});

forEachKindShared("setCallback() gets first what is queued, also after the end", async ({ open }) => {
  const channel = (await open()).remoteExec(`for (const i of [1, 2, 3]) channel.send(i)`);
  await channel.waitClose();
  assertEquals(await collect(channel), [1, 2, 3, END]);
});

forEachKindShared("setCallback() gets what receive() has left", async ({ open }) => {
  const channel = (await open()).remoteExec(`for (const i of [1, 2, 3, 4]) channel.send(i)`);
  assertEquals(await channel.receive(), 1);
  assertEquals(await channel.receive(), 2);
  assertEquals(await collect(channel), [3, 4, END]);
});

forEachKindShared("setCallback() is not called before it has returned", async ({ open }) => {
  const channel = (await open()).remoteExec(`channel.send(1)`);
  await channel.waitClose();
  let returned = false;
  const first = new Promise((resolve) => channel.setCallback(() => resolve(returned)));
  returned = true;
  assertEquals(await first, true);
});

forEachKindShared(
  "setCallback() awaits an async callback and never runs it twice at once",
  async ({ open }) => {
    const channel = (await open()).remoteExec(`for (let i = 0; i < 50; i++) channel.send(i)`);
    let running = 0;
    let most = 0;
    const items: unknown[] = [];
    channel.setCallback(async (item: unknown) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 0));
      items.push(item);
      running--;
    }, { endMarker: END });
    await channel.waitClose();
    assertEquals(most, 1);
    assertEquals(items, [...Array.from({ length: 50 }, (_, i) => i), END]);
  },
);

forEachKindShared(
  "setCallback() without an end marker gets items only, undefined is a marker too",
  async ({ open }) => {
    const gateway = await open();
    const items: unknown[] = [];
    const plain = gateway.remoteExec(`channel.send(1)`);
    plain.setCallback((item) => items.push(item));
    await plain.waitClose();
    assertEquals(items, [1]);
    const marked = gateway.remoteExec(`channel.send(2)`);
    marked.setCallback((item) => items.push(item), { endMarker: undefined });
    await marked.waitClose();
    assertEquals(items, [1, 2, undefined]);
  },
);

forEachKindShared("setCallback() gets the end marker once when the remote code fails", async ({ open }) => {
  const channel = (await open()).remoteExec(`channel.send(1); throw new Error("why")`);
  const items = await collect(channel);
  await assertRejects(() => channel.waitClose(), RemoteError, "why");
  assertEquals(items, [1, END]);
});

forEachKindShared("setCallback() gets the end marker once when this side closes", async ({ open }) => {
  const gateway = await open();
  for (const error of [undefined, "why"]) {
    const channel = gateway.remoteExec(`channel.send(1); await channel.receive()`);
    assertEquals(await channel.receive(), 1);
    const items = collect(channel);
    await channel.close(error);
    await channel.close();
    assertEquals(await items, [END]);
  }
});

forEachKindShared(
  "setCallback() gets the end marker once when the other side ends its writes",
  async ({ open }) => {
    const gateway = await open();
    const channel = gateway.remoteExec(`
    const other = await channel.receive();
    await other.send(1);
    await other.closeWrite();
    await channel.send(await other.receive());
  `);
    const other = gateway.newChannel();
    const items = collect(other);
    await channel.send(other);
    assertEquals(await items, [1, END]);
    await other.send("still");
    assertEquals(await channel.receive(), "still");
    await other.close();
    assertEquals((await items).length, 2);
  },
);

forEachKindShared("setCallback() gets the end marker once when the execution is killed", async ({ open }) => {
  const channel = (await open()).remoteExec(`channel.send(1); await channel.receive()`);
  assertEquals(await channel.receive(), 1);
  const items = collect(channel);
  channel.kill();
  channel.kill();
  assertEquals(await items, [END]);
});

forEachKind("setCallback() gets the end marker once when the gateway exits", async ({ open }) => {
  const gateway = await open();
  const channels = [1, 2].map(() => gateway.remoteExec(`channel.send(1); await channel.receive()`));
  for (const channel of channels) assertEquals(await channel.receive(), 1);
  const before = collect(channels[0]!);
  gateway.exit();
  await gateway.join();
  assertEquals(await before, [END]);
  assertEquals(await collect(channels[1]!), [END]);
  assertEquals((await before).length, 1);
});

forEachKind("setCallback() gets the end marker once when the far side is killed", async ({ open }) => {
  const gateway = await open();
  const channels = [1, 2].map(() => gateway.remoteExec(`channel.send(1); await channel.receive()`));
  await channels[0]!.receive();
  const before = collect(channels[0]!);
  await until("the item is there", () => channels[1]!.receive({ timeout: 0 }).then(() => true, () => false));
  Deno.kill((await gateway.remoteInfo()).pid, "SIGKILL");
  assertEquals(await before, [END]);
  await gateway.closed;
  assertEquals(await collect(channels[1]!), [END]);
}, { local: true });

forEachKindShared("waitClose() waits for the callback to have had everything", async ({ open }) => {
  const channel = (await open()).remoteExec(`for (const i of [1, 2, 3]) channel.send(i)`);
  const items: unknown[] = [];
  const gate = Promise.withResolvers<void>();
  channel.setCallback(async (item) => {
    await gate.promise;
    items.push(item);
  });
  const closed = channel.waitClose().then(() => items.length);
  await assertRejects(() => channel.waitClose({ timeout: 50 }), Error);
  gate.resolve();
  assertEquals(await closed, 3);
});

forEachKindShared("receive() with a callback is a TypeError, and so is iteration", async ({ open }) => {
  const channel = (await open()).remoteExec(`await channel.receive()`);
  channel.setCallback(() => {});
  await assertRejects(() => channel.receive(), TypeError);
  await assertRejects(() => channel.receive({ timeout: 0 }), TypeError);
  await assertRejects(async () => {
    for await (const _ of channel);
  }, TypeError);
});

forEachKindShared("setCallback() twice, or with something else, is a TypeError", async ({ open }) => {
  const channel = (await open()).remoteExec(`await channel.receive(); channel.send(1)`);
  assertThrows(() => channel.setCallback(null as never), TypeError);
  const items: unknown[] = [];
  channel.setCallback((item) => items.push(item));
  assertThrows(() => channel.setCallback(() => {}), TypeError);
  await channel.send(1);
  await channel.waitClose();
  assertEquals(items, [1]);
  assertThrows(() => channel.setCallback(() => {}), TypeError);
});

for (const how of ["throws", "rejects"]) {
  forEachKindShared(`a callback that ${how} closes both sides with its error`, async ({ open }) => {
    const gateway = await open();
    const other = gateway.remoteExec(`for await (const item of channel) channel.send(item)`);
    const channel = gateway.remoteExec(`
      const report = await channel.receive();
      await channel.send("bad");
      await channel.receive().catch((error) => report.send([error.remoteName, error.remoteMessage]));
    `);
    const report = gateway.newChannel();
    await channel.send(report);
    const calls: unknown[] = [];
    channel.setCallback((item: unknown) => {
      calls.push(item);
      if (item === END) return;
      if (how === "throws") throw new RangeError("no such item");
      return Promise.reject(new RangeError("no such item"));
    }, { endMarker: END });
    const error = await assertRejects(() => channel.waitClose(), RangeError, "no such item");
    assert(!(error instanceof RemoteError));
    assert(channel.isClosed());
    assertEquals(await report.receive(), ["RangeError", "no such item"]);
    assertEquals(calls, ["bad", END]);
    await other.send(1);
    assertEquals(await other.receive(), 1);
  });
}

forEachKindShared(
  "a remote callback that throws closes its channel here with that error",
  async ({ open }) => {
    const gateway = await open();
    const channel = gateway.remoteExec(`
    const other = await channel.receive();
    other.setCallback(() => { throw new RangeError("no such item") });
    await channel.receive();
    await channel.send(other.isClosed());
  `);
    const other = gateway.newChannel();
    await channel.send(other);
    await other.send(1);
    const error = await assertRejects(() => other.waitClose(), RemoteError) as RemoteError;
    assertEquals([error.remoteName, error.remoteMessage], ["RangeError", "no such item"]);
    assert(other.isClosed());
    await channel.send("go on");
    assertEquals(await channel.receive(), true);
  },
);

forEachKindShared("a remote callback gets items, and its end marker once", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const items = [];
    await new Promise((resolve) => channel.setCallback((item) => {
      items.push(item);
      if (item === "end") resolve();
    }, { endMarker: "end" }));
    channel.send(items);
  `);
  for (const i of [1, 2, 3]) await channel.send(i);
  await channel.closeWrite();
  assertEquals(await channel.receive(), [1, 2, 3, "end"]);
});

forEachKindShared("a callback may receive and send on other channels", async ({ open }) => {
  const gateway = await open();
  const echo = gateway.remoteExec(`for await (const item of channel) channel.send(item)`);
  const channel = gateway.remoteExec(`for (const i of [1, 2, 3]) channel.send(i)`);
  const items: unknown[] = [];
  channel.setCallback(async (item) => {
    await echo.send(item);
    items.push(await echo.receive());
  });
  await channel.waitClose();
  assertEquals(items, [1, 2, 3]);
});
