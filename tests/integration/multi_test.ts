/** Several channels as one: over gateways of every kind, and all the ways in which some of them end. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "jsr:@std/assert@^1.0.19";
import {
  type Channel,
  ChannelClosedError,
  EOFError,
  type Gateway,
  GatewayClosedError,
  type Group,
  MultiChannel,
  RemoteError,
  TimeoutError,
} from "../../mod.ts";
import { limited, until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared, SEPARATE } from "./kinds.ts";
import type { SharedSetting } from "./kinds.ts";

const END = Symbol("end");

/** Starts gateways and executes on each; the sources are repeated. */
async function start({ open }: Pick<SharedSetting, "open">, ...sources: string[]): Promise<MultiChannel> {
  const gateways = await Promise.all(sources.map(() => open()));
  return new MultiChannel(gateways.map((gateway, i) => gateway.remoteExec(sources[i]!)));
}

forEachKind("group.remoteExec() executes everywhere, in the group's order", async ({ group, open }) => {
  await Promise.all([open(), open(), open()]);
  const all = group.remoteExec(`channel.send(await channel.receive() + 1)`);
  assertEquals(all.size, 3);
  assertEquals([...all].map((channel) => channel.gateway), [...group]);
  await all.sendEach(41);
  assertEquals(await all.receiveEach({ timeout: 10_000 }), [42, 42, 42]);
  await all.waitClose({ timeout: 10_000 });
}, { alone: true });

forEachKind("group.remoteExec() that one gateway refuses leaves nothing running", async ({ group, open }) => {
  const [first] = [await open("allow-net"), await open()];
  assertThrows(
    () => group.remoteExec(`await channel.receive()`, { permissions: { net: true } }),
    RangeError,
  );
  await until("nothing runs", async () => (await first!.remoteStatus()).numExecuting === 0);
}, { alone: true, models: SEPARATE });

forEachKindShared("a MultiChannel counts, orders and finds its channels", async ({ open }) => {
  const gateway = await open();
  const channels = [1, 2, 3].map(() => gateway.newChannel());
  const all = new MultiChannel(new Set(channels));
  assertEquals(all.size, 3);
  assertEquals([...all].map(({ id }) => id), channels.map(({ id }) => id));
  assertStrictEquals(all.at(0), channels[0]);
  assertStrictEquals(all.at(-1), channels[2]);
  assertEquals([all.at(3), all.at(-4)], [undefined, undefined]);
  assert(all.has(channels[1]!));
  assert(!all.has(gateway.newChannel()));
  for (const bad of [[1], [null], ["x"], [{}]]) {
    assertThrows(() => new MultiChannel(bad as never), TypeError, "not a channel");
  }
  assertThrows(() => new MultiChannel(undefined as never), TypeError);
});

forEachKind("a MultiChannel of nothing does nothing", async ({ group }) => {
  const all = group.remoteExec(`1`);
  assertEquals([all.size, [...all], all.at(0)], [0, [], undefined]);
  await all.sendEach(1);
  assertEquals(await all.receiveEach({ timeout: 0 }), []);
  await all.waitClose({ timeout: 0 });
  const queue = all.makeReceiveQueue({ endMarker: END });
  await assertRejects(() => queue.get({ timeout: 0 }), EOFError);
  assertEquals(await Array.fromAsync(queue), []);
}, { alone: true });

forEachKindShared(
  "receiveEach() receives in parallel and gives the order of the channels",
  async (setting) => {
    const all = await start(
      setting,
      `await channel.receive(); await channel.send("a")`,
      `await channel.send("b")`,
    );
    const received = all.receiveEach({ withChannel: true });
    await all.at(0)!.send("go");
    const pairs = await received;
    assertEquals(pairs.map(([, item]) => item), ["a", "b"]);
    assertEquals(pairs.map(([channel]) => channel), [...all]);
  },
);

forEachKindShared("receiveEach() that times out or is aborted loses no item", async (setting) => {
  const all = await start(setting, `await channel.send(1)`, `await channel.send(await channel.receive())`);
  await all.at(0)!.waitClose();
  await assertRejects(() => all.receiveEach({ timeout: 0 }), TimeoutError);
  await assertRejects(() => all.receiveEach({ timeout: 20 }), TimeoutError);
  const stop = new AbortController();
  const stopped = all.receiveEach({ signal: stop.signal });
  stop.abort(new Error("stop"));
  await assertRejects(() => stopped, Error, "stop");
  await assertRejects(() => all.receiveEach({ signal: stop.signal }), Error, "stop");
  await assertRejects(() => all.receiveEach({ timeout: -1 }), RangeError);
  await all.at(1)!.send(2);
  assertEquals(await all.receiveEach(), [1, 2]);
});

forEachKindShared(
  "receiveEach() rejects as soon as a channel is over, and takes nothing from the others",
  async (setting) => {
    const all = await start(
      setting,
      `await channel.send(1); await channel.receive()`,
      `throw new Error("why")`,
      `await channel.receive()`,
    );
    await assertRejects(() => all.receiveEach({ timeout: 10_000 }), RemoteError, "why");
    await assertRejects(() => all.receiveEach({ timeout: 10_000 }), EOFError);
    assertEquals(await all.at(0)!.receive(), 1);
  },
);

forEachKindShared("receiveEach() called twice at once gives each item to one of the two", async (setting) => {
  const code = `for (const i of [1, 2]) { await channel.receive(); await channel.send(i); }`;
  const all = await start(setting, code, code);
  const received = [all.receiveEach(), all.receiveEach()];
  await all.sendEach("go");
  await all.sendEach("go");
  assertEquals(await Promise.all(received), [[1, 1], [2, 2]]);
});

forEachKindShared("sendEach() reaches the others when one is closed", async (setting) => {
  const echo = `channel.send(await channel.receive())`;
  const all = await start(setting, echo, echo, echo);
  await all.at(0)!.close();
  await assertRejects(() => all.sendEach("x"), ChannelClosedError);
  assertEquals([await all.at(1)!.receive(), await all.at(2)!.receive()], ["x", "x"]);
});

forEachKindShared(
  "waitClose() waits for all, then throws the first error in order, each one once",
  async (setting) => {
    const all = await start(
      setting,
      `1`,
      `await channel.receive(); throw new Error("first")`,
      `throw new RangeError("second")`,
    );
    await until("the last has ended", () => all.at(2)!.isClosed());
    await assertRejects(() => all.waitClose({ timeout: 20 }), TimeoutError);
    await assertRejects(() => all.waitClose({ signal: AbortSignal.abort(new Error("stop")) }), Error, "stop");
    const closed = all.waitClose();
    await all.at(1)!.send("go");
    await assertRejects(() => closed, RemoteError, "first");
    await assertRejects(() => all.at(2)!.waitClose(), RemoteError, "second");
    await all.waitClose();
  },
);

forEachKindShared("errors that nobody waits for harm nobody", async (setting) => {
  const all = await start(setting, `throw new Error("why")`, `throw new Error("why")`);
  void all.waitClose();
  void all.receiveEach();
  void all.receiveEach({ timeout: 1 });
  const queue = new MultiChannel([(await setting.open()).remoteExec(`1`)]).makeReceiveQueue();
  void queue.get();
  void queue.get({ timeout: 1 });
  void queue[Symbol.asyncIterator]().next();
  await all.at(0)!.close();
  void all.sendEach(1);
  await until("all have ended", () => [...all].every((channel) => channel.isClosed()));
  await assertRejects(() => queue.get(), EOFError);
});

forEachKindShared("a receive queue gives the items of all channels, and ends", async (setting) => {
  const code = (name: string) => `for (let i = 0; i < 100; i++) await channel.send("${name}" + i)`;
  const all = await start(setting, code("a"), code("b"));
  const queue = all.makeReceiveQueue();
  assertStrictEquals(all.makeReceiveQueue({ endMarker: 1 }), queue);
  const items = new Map<Channel, unknown[]>([...all].map((channel) => [channel, []]));
  for await (const [channel, item] of queue) items.get(channel)!.push(item);
  assertEquals(
    [...items.values()],
    ["a", "b"].map((name) => Array.from({ length: 100 }, (_, i) => name + i)),
  );
  for (let i = 0; i < 2; i++) {
    await assertRejects(() => queue.get(), EOFError, "all of its 2 channels have ended");
  }
  await all.waitClose();
});

forEachKindShared(
  "a receive queue takes over receiving, and refuses a channel with a callback",
  async (setting) => {
    const all = await start(
      setting,
      `channel.send(await channel.receive())`,
      `channel.send(await channel.receive())`,
    );
    const pending = all.receiveEach();
    const queue = all.makeReceiveQueue();
    await assertRejects(() => all.receiveEach(), TypeError, "receive queue");
    await assertRejects(() => all.at(0)!.receive(), TypeError, "callback");
    await all.sendEach("x");
    assertEquals((await queue.get())[1], "x");
    assertEquals((await queue.get())[1], "x");
    await assertRejects(() => pending, TypeError, "receive queue");
    const gateway = all.at(0)!.gateway as Gateway;
    const [plain, taken] = [gateway.newChannel(), gateway.newChannel()];
    taken.setCallback(() => {});
    const mixed = new MultiChannel([plain, taken]);
    assertThrows(() => mixed.makeReceiveQueue(), TypeError, "has a callback");
    await assertRejects(() => mixed.receiveEach({ timeout: 0 }), TypeError, "has a callback");
    await assertRejects(() => plain.receive({ timeout: 0 }), TimeoutError);
  },
);

forEachKindShared("get() polls, times out and is aborted without losing an item", async (setting) => {
  const all = await start(setting, `await channel.send(1); await channel.send(await channel.receive())`);
  assertEquals(await all.at(0)!.receive(), 1);
  await all.at(0)!.send(2);
  await all.at(0)!.waitClose();
  const queue = all.makeReceiveQueue();
  assertEquals(await queue.get({ timeout: 0 }), [all.at(0)!, 2]);
  await assertRejects(() => queue.get({ timeout: 0 }), EOFError);

  const gateway = all.at(0)!.gateway as Gateway;
  const channel = gateway.remoteExec(`for await (const item of channel) await channel.send(item)`);
  const other = new MultiChannel([channel]).makeReceiveQueue();
  await assertRejects(() => other.get({ timeout: 0 }), TimeoutError, "after 0 ms");
  await assertRejects(() => other.get({ timeout: 20 }), TimeoutError, "after 20 ms");
  await assertRejects(() => other.get({ timeout: -1 }), RangeError);
  const stop = new AbortController();
  const stopped = other.get({ signal: stop.signal });
  stop.abort(new Error("stop"));
  await assertRejects(() => stopped, Error, "stop");
  await assertRejects(() => other.get({ signal: stop.signal }), Error, "stop");
  const both = [other.get(), other.get({ timeout: 10_000 })];
  for (const item of ["a", "b", "c"]) await channel.send(item);
  assertEquals((await Promise.all(both)).map(([, item]) => item), ["a", "b"]);
  assertEquals((await other.get())[1], "c");
  await channel.close();
  await assertRejects(() => other.get(), EOFError);
});

forEachKindShared("leaving a loop over a receive queue early leaves it usable", async (setting) => {
  const all = await start(setting, `for (const i of [1, 2, 3]) await channel.send(i)`);
  const queue = all.makeReceiveQueue();
  for await (const [, item] of queue) {
    assertEquals(item, 1);
    break;
  }
  assertEquals((await Array.fromAsync(queue)).map(([, item]) => item), [2, 3]);
});

forEachKindShared("the end marker comes once for each channel, whatever ended it", async (setting) => {
  const all = await start(
    setting,
    `await channel.send(0)`,
    `await channel.send(1); throw new Error("why")`,
    `await channel.send(2); await channel.receive()`,
    `await channel.send(3); await channel.receive()`,
  );
  const queue = all.makeReceiveQueue({ endMarker: END });
  const items = new Map<Channel, unknown[]>([...all].map((channel) => [channel, []]));
  let count = 0;
  for await (const [channel, item] of queue) {
    items.get(channel)!.push(item);
    if (item === 2) await channel.close("enough");
    if (item === 3) channel.kill();
    assert(++count <= 8);
  }
  assertEquals([...items.values()], [[0, END], [1, END], [2, END], [3, END]]);
  await assertRejects(() => all.waitClose(), RemoteError, "why");
  assertEquals((await assertRejects(() => all.waitClose(), RemoteError)).remoteName, "Killed");
  await all.waitClose();
});

forEachKindShared(
  "the end marker may be undefined, and comes also when a channel had ended before",
  async (setting) => {
    const all = await start(setting, `1`);
    await all.waitClose();
    const queue = all.makeReceiveQueue({ endMarker: undefined });
    assertEquals(await queue.get({ timeout: 5_000 }), [all.at(0)!, undefined]);
    await assertRejects(() => queue.get(), EOFError);
  },
);

forEachKind("the end markers come after group.terminate(), behind what was there", async (setting) => {
  const code = `await channel.send(1); await channel.receive()`;
  const all = await start(setting, code, code);
  const queue = all.makeReceiveQueue({ endMarker: END });
  const first = await queue.get();
  assertEquals(first[1], 1);
  await (setting.group as Group).terminate();
  const rest = (await limited("the end of the queue", Array.fromAsync(queue))).map(([, item]) => item);
  assertEquals(rest.filter((item) => item === END).length, 2);
  assertEquals(await Array.fromAsync(queue), []);
  await all.waitClose();
});

forEachKindShared(
  "a far side that dies ends its channel in the queue and leaves the others",
  async (setting) => {
    const code = `await channel.send(1); for await (const item of channel) await channel.send(item)`;
    const all = await start(setting, code, code);
    const queue = all.makeReceiveQueue({ endMarker: END });
    for (let i = 0; i < 2; i++) assertEquals((await queue.get())[1], 1);
    const [dying, other] = [...all].map((channel) => channel.gateway as Gateway);
    Deno.kill((await dying!.remoteInfo()).pid, "SIGKILL");
    const [ended, marker] = await queue.get();
    assertEquals([ended.gateway.id, marker], [dying!.id, END]);
    await all.at(1)!.send(2);
    const [channel, item] = await queue.get();
    assertEquals([channel.gateway.id, item], [other!.id, 2]);
    await all.at(1)!.closeWrite();
    assertEquals(await queue.get(), [all.at(1)!, END]);
    await assertRejects(() => all.waitClose(), GatewayClosedError);
  },
  { local: true },
);

forEachKindShared("waitClose() does not wait for what is in the queue", async (setting) => {
  const code = `for (let i = 0; i < 100; i++) await channel.send(i); throw new Error("why")`;
  const all = await start(setting, code, code);
  const queue = all.makeReceiveQueue();
  await assertRejects(() => all.waitClose({ timeout: 10_000 }), RemoteError, "why");
  assertEquals((await Array.fromAsync(queue)).length, 200);
});

forEachKindShared(
  "a slow taker slows the writers, and a flood leaves room for the others",
  async ({ open }) => {
    const gateway = await open();
    const flood = gateway.remoteExec(`
    const stream = await channel.receive();
    let sent = 0;
    const flood = (async () => {
      while (true) { await stream.send(new Uint8Array(65536)); sent++; }
    })().catch(() => {});
    for await (const _ of channel) await channel.send(sent);
    await flood;
  `);
    const stream = gateway.newChannel();
    await flood.send(stream);
    const quiet = gateway.newChannel();
    const queue = new MultiChannel([stream, quiet]).makeReceiveQueue();
    let before = -1;
    let same = 0;
    await until("the flood stops", async () => {
      await flood.send("how much?");
      const sent = await flood.receive() as number;
      same = sent === before && sent > 0 ? same + 1 : 0;
      before = sent;
      return same > 10;
    }, 15_000);
    assert(before < 16 * 16, `${before} items of 64 KiB are under way`);
    for (let i = 0; i < 1_000; i++) assertStrictEquals((await queue.get())[0], stream);
    await gateway.remoteExec(`await (await channel.receive()).send("quiet")`).send(quiet);
    for (let i = 0;; i++) {
      const [channel, item] = await queue.get();
      if (channel !== quiet) continue;
      assertEquals(item, "quiet");
      break;
    }
    await stream.close();
    await quiet.close();
    await flood.closeWrite();
    await flood.waitClose();
  },
);
