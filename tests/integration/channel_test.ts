/** Sending and receiving: order, the end, timeouts, signals, iteration. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ChannelClosedError, EOFError, RemoteError, TimeoutError } from "../../mod.ts";
import { limited, until } from "../helpers/wait.ts";
import { forEachKindShared } from "./kinds.ts";

const ECHO = `for await (const item of channel) await channel.send(item)`;

forEachKindShared("send() and receive() keep the order of items", async ({ open }) => {
  const channel = (await open()).remoteExec(ECHO);
  const numbers = Array.from({ length: 2_000 }, (_, i) => i);
  const sent = Promise.all(numbers.map((i) => channel.send(i)));
  for (const i of numbers) assertEquals(await channel.receive(), i);
  await sent;
});

forEachKindShared("send() keeps the order of small and large items that nobody awaits", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    for await (const item of channel) await channel.send(typeof item === "number" ? item : item[0])
  `);
  const sent: Promise<void>[] = [];
  for (let i = 0; i < 60; i++) {
    sent.push(channel.send(i % 3 === 1 ? new Uint8Array(100_000).fill(i) : i));
  }
  for (let i = 0; i < 60; i++) assertEquals(await channel.receive(), i);
  await Promise.all(sent);
});

forEachKindShared("receive() gives every item, then EOFError every time", async ({ open }) => {
  const channel = (await open()).remoteExec(`await channel.send(1); await channel.send(2)`);
  await channel.waitClose();
  assertEquals(await channel.receive(), 1);
  assertEquals(await channel.receive(), 2);
  for (let i = 0; i < 3; i++) {
    const error = await assertRejects(() => channel.receive(), EOFError);
    assert((error as Error).message.length > 0);
  }
  await assertRejects(() => channel.receive({ timeout: 0 }), EOFError);
});

forEachKindShared(
  "receive() gives every item, then the RemoteError once, then EOFError",
  async ({ open }) => {
    const channel = (await open()).remoteExec(`channel.send(1); channel.send(2); throw new TypeError("why")`);
    assertEquals(await channel.receive(), 1);
    assertEquals(await channel.receive(), 2);
    const error = await assertRejects(() => channel.receive(), RemoteError);
    assertEquals([(error as RemoteError).remoteName, (error as RemoteError).remoteMessage], [
      "TypeError",
      "why",
    ]);
    for (let i = 0; i < 3; i++) {
      const later = await assertRejects(() => channel.receive(), EOFError);
      assert(!(later instanceof RemoteError));
    }
  },
);

forEachKindShared("receive() rejects every call that waits when the channel ends", async ({ open }) => {
  const channel = (await open()).remoteExec(
    `await channel.receive(); channel.send(1); throw new Error("why")`,
  );
  const calls = Promise.allSettled([1, 2, 3, 4].map(() => channel.receive()));
  await channel.send("go");
  const [first, second, ...rest] = await calls;
  assertEquals(first, { status: "fulfilled", value: 1 });
  assertInstanceOf((second as PromiseRejectedResult).reason, RemoteError);
  for (const one of rest) assertInstanceOf((one as PromiseRejectedResult).reason, EOFError);
});

forEachKindShared("receive() serves its callers in the order of their calls", async ({ open }) => {
  const channel = (await open()).remoteExec(
    `await channel.receive(); for (const i of [1, 2, 3]) channel.send(i)`,
  );
  const calls = Promise.all([channel.receive(), channel.receive(), channel.receive()]);
  await channel.send("go");
  assertEquals(await calls, [1, 2, 3]);
});

forEachKindShared("receive() rejects with TimeoutError and leaves the channel usable", async ({ open }) => {
  const channel = (await open()).remoteExec(ECHO);
  await assertRejects(() => channel.receive({ timeout: 20 }), TimeoutError);
  await channel.send("still");
  assertEquals(await channel.receive({ timeout: 10_000 }), "still");
});

forEachKindShared("receive() loses no item by timeouts and aborts", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    for (let i = 0; i < 300; i++) {
      await channel.send(i);
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  `);
  const items: unknown[] = [];
  while (items.length < 300) {
    const abort = new AbortController();
    const call = items.length % 2 === 0
      ? channel.receive({ timeout: Math.random() })
      : channel.receive({ signal: abort.signal });
    queueMicrotask(() => abort.abort());
    await call.then((item) => items.push(item), (error) => {
      assert(error instanceof TimeoutError || error.name === "AbortError", String(error));
    });
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assertEquals(items, Array.from({ length: 300 }, (_, i) => i));
});

forEachKindShared("receive() only looks with a timeout of 0", async ({ open }) => {
  const channel = (await open()).remoteExec(`channel.send(await channel.receive()); await channel.receive()`);
  await assertRejects(() => channel.receive({ timeout: 0 }), TimeoutError);
  await channel.send("there");
  const poll = () => channel.receive({ timeout: 0 }).catch(() => undefined);
  assertEquals(await until("the item can be polled", poll), "there");
  await assertRejects(() => channel.receive({ timeout: 0 }), TimeoutError);
});

forEachKindShared(
  "receive() rejects with its signal's reason and leaves the channel usable",
  async ({ open }) => {
    const channel = (await open()).remoteExec(ECHO);
    const reason = new RangeError("enough");
    const abort = new AbortController();
    const call = assertRejects(() => channel.receive({ signal: abort.signal }), RangeError, "enough");
    abort.abort(reason);
    await call;
    await channel.send(1);
    await until(
      "the item is there",
      () => channel.receive({ timeout: 0 }).then((item) => item === 1, () => false),
    );
    await channel.send(2);
    await assertRejects(() => channel.receive({ signal: abort.signal }), RangeError, "enough");
    assertEquals(await channel.receive(), 2);
  },
);

forEachKindShared("receive() refuses a timeout that is none", async ({ open }) => {
  const channel = (await open()).remoteExec(ECHO);
  await assertRejects(() => channel.receive({ timeout: -1 }), RangeError);
  await assertRejects(() => channel.receive({ timeout: NaN }), RangeError);
  await assertRejects(() => channel.receive({ timeout: "1" as never }), TypeError);
  await channel.send(1);
  assertEquals(await channel.receive({ timeout: Infinity }), 1);
});

forEachKindShared("waitClose() rejects with TimeoutError and leaves the channel usable", async ({ open }) => {
  const channel = (await open()).remoteExec(`channel.send(await channel.receive())`);
  await assertRejects(() => channel.waitClose({ timeout: 20 }), TimeoutError);
  const abort = AbortSignal.abort(new RangeError("enough"));
  await assertRejects(() => channel.waitClose({ signal: abort }), RangeError, "enough");
  await channel.send(5);
  await channel.waitClose({ timeout: 10_000 });
  assertEquals(await channel.receive(), 5);
});

forEachKindShared("waitClose() throws the remote error once", async ({ open }) => {
  const channel = (await open()).remoteExec(`channel.send(1); throw new Error("why")`);
  await assertRejects(() => channel.waitClose(), RemoteError, "why");
  await channel.waitClose();
  assertEquals(await channel.receive(), 1);
  await assertRejects(() => channel.receive(), EOFError);
});

forEachKindShared("waitClose() resolves for every caller when the channel ends", async ({ open }) => {
  const channel = (await open()).remoteExec(`await channel.receive()`);
  const calls = Promise.all([
    channel.waitClose(),
    channel.waitClose({ timeout: 10_000 }),
    channel.waitClose(),
  ]);
  await channel.send(1);
  await calls;
});

forEachKindShared("send() on a closed channel rejects with ChannelClosedError", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec("");
  await channel.waitClose();
  const error = await assertRejects(() => channel.send(1), ChannelClosedError);
  assert((error as Error).message.includes(`"${gateway.id}"`), (error as Error).message);
  const mine = gateway.newChannel();
  await mine.close();
  await assertRejects(() => mine.send(1), ChannelClosedError);
});

forEachKindShared("send() with a signal takes back what has not begun to leave", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    await channel.receive();
    const got = [];
    for await (const item of channel) got.push(typeof item === "string" ? item : item.length);
    channel.send(got);
  `);
  const reason = new RangeError("enough");
  await assertRejects(() => channel.send(0, { signal: AbortSignal.abort(reason) }), RangeError, "enough");
  await channel.send("start");
  const blocked = gateway.remoteExec(`channel.send("up"); await new Promise(() => {})`);
  assertEquals(await blocked.receive(), "up");
  // Nobody reads there: the first items fill the window, the last one waits.
  const abort = new AbortController();
  const large = new Uint8Array(900_000);
  const before = [blocked.send(large), blocked.send(large)];
  const last = blocked.send("never", { signal: abort.signal });
  await before[0];
  abort.abort(reason);
  await assertRejects(() => last, RangeError, "enough");
  blocked.kill();
  await Promise.allSettled(before);
  await channel.send("x");
  await channel.closeWrite();
  assertEquals(await channel.receive(), ["x"]);
});

forEachKindShared("iteration gives all items and ends when the channel ends", async ({ open }) => {
  const channel = (await open()).remoteExec(`for (const i of [1, 2, 3]) channel.send(i)`);
  const items: unknown[] = [];
  for await (const item of channel) items.push(item);
  assertEquals(items, [1, 2, 3]);
  for await (const item of channel) items.push(item);
  assertEquals(items, [1, 2, 3]);
});

forEachKindShared("iteration throws the RemoteError after the last item", async ({ open }) => {
  const channel = (await open()).remoteExec(`channel.send(1); channel.send(2); throw new Error("why")`);
  const items: unknown[] = [];
  const error = await assertRejects(async () => {
    for await (const item of channel) items.push(item);
  }, RemoteError);
  assertEquals((error as RemoteError).remoteMessage, "why");
  assertEquals(items, [1, 2]);
});

forEachKindShared("iteration that is left early leaves the channel open", async ({ open }) => {
  const channel = (await open()).remoteExec(ECHO);
  for (const i of [1, 2, 3]) await channel.send(i);
  for await (const item of channel) if (item === 2) break;
  assert(!channel.isClosed());
  assertEquals(await channel.receive(), 3);
  await channel.send(4);
  for await (const item of channel) {
    assertEquals(item, 4);
    break;
  }
});

forEachKindShared("channels carry items both ways at the same time", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    const sending = (async () => { for (let i = 0; i < 200; i++) await channel.send(new Uint8Array(60_000).fill(i)) })();
    let count = 0;
    for await (const item of channel) if (item[59_999] === count % 256) count++;
    await sending;
    await channel.send(count);
  `);
  const sending = (async () => {
    for (let i = 0; i < 200; i++) await channel.send(new Uint8Array(60_000).fill(i));
    await channel.closeWrite();
  })();
  let count = 0;
  for await (const item of channel) {
    if (typeof item === "number") assertEquals(item, 200);
    else assertEquals((item as Uint8Array)[59_999], count++ % 256);
  }
  assertEquals(count, 200);
  await sending;
});

forEachKindShared("waiting sides of many channels do not disturb each other", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const others = await channel.receive();
    for (const other of others.reverse()) other.send(other.id);
    await channel.receive();
  `);
  const others = Array.from({ length: 50 }, () => gateway.newChannel());
  const calls = others.map((other) => other.receive());
  await channel.send(others);
  assertEquals(await limited("all answers", Promise.all(calls)), others.map((other) => other.id));
});
