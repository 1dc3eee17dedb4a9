/** What execnet's own suite and its examples ask of channels, where the tests beside this one do not show it yet. */

import { assert, assertEquals, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import { Buffer } from "node:buffer";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  type Channel,
  ChannelClosedError,
  EOFError,
  type Gateway,
  RemoteError,
  TimeoutError,
} from "../../mod.ts";
import { limited, until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared } from "./kinds.ts";

const MIB = 1024 * 1024;
const END = Symbol("end");

/** Gathers what a callback gets, up to the end marker. */
function collect(channel: Channel): Promise<unknown[]> {
  const items: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<unknown[]>();
  channel.setCallback((item: unknown) => {
    if (item === END) resolve(items);
    else items.push(item);
  }, { endMarker: END });
  return limited("the end marker", promise);
}

forEachKindShared(
  "receive() throws the RemoteError of code that fails before it has sent anything",
  async ({ open }) => {
    const channel = (await open()).remoteExec(`throw new RangeError("why")`);
    const error = await assertRejects(() => channel.receive(), RemoteError, "why") as RemoteError;
    assertEquals(error.remoteName, "RangeError");
    await assertRejects(() => channel.receive(), EOFError);
  },
);

forEachKindShared(
  "receive() throws a RemoteError that names what remote code could not send",
  async ({ open }) => {
    const channel = (await open()).remoteExec(`await channel.send([1, { fn: () => 1 }])`);
    const error = await assertRejects(() => channel.receive(), RemoteError) as RemoteError;
    assertEquals(error.remoteName, "DumpError");
    assert(/cannot send \$\[1\]\.fn/i.test(error.remoteMessage), error.remoteMessage);
  },
);

forEachKindShared("waitClose() resolves when the other side closes a channel", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const [quiet, failed] = await channel.receive();
    await channel.receive();
    await quiet.close();
    await failed.close("that is all");
  `);
  const [quiet, failed] = [gateway.newChannel(), gateway.newChannel()];
  await channel.send([quiet, failed]);
  await assertRejects(() => quiet.waitClose({ timeout: 0 }), TimeoutError);
  const waits = Promise.all([quiet.waitClose(), assertRejects(() => failed.waitClose(), RemoteError)]);
  await channel.send("go");
  const [, error] = await limited("both ends", waits);
  assertEquals((error as RemoteError).remoteMessage, "that is all");
  assert(quiet.isClosed() && failed.isClosed());
});

forEachKindShared("a channel of remote code is used when its execution's is forgotten", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const mine = channel.gateway.newChannel();
    mine.setCallback((item) => mine.send(item + 1));
    await channel.send(mine);
  `);
  const mine = await channel.receive() as unknown as Channel<number, number>;
  await channel.waitClose();
  await until("only one channel is left", async () => (await gateway.remoteStatus()).numChannels === 1);
  await mine.send(41);
  assertEquals(await mine.receive(), 42);
  await mine.close();
  await until("none is left", async () => (await gateway.remoteStatus()).numChannels === 0);
});

forEachKind("ids of channels are odd here and even over there, and none comes twice", async ({ open }) => {
  const gateway = await open();
  const here: number[] = [];
  const there: number[] = [];
  for (let round = 0; round < 3; round++) {
    const channel = gateway.remoteExec(`
      await channel.send([channel.gateway.newChannel(), channel.gateway.newChannel()]);
    `);
    here.push(channel.id, gateway.newChannel().id);
    for (const one of await channel.receive() as unknown as Channel[]) there.push(one.id);
    await channel.waitClose();
  }
  assertEquals(here, [1, 3, 5, 7, 9, 11]);
  assert(there.every((id) => id > 0 && id % 2 === 0), `${there}`);
  assertEquals(new Set(there).size, 6);
});

forEachKindShared(
  "a callback gets items and channels in order, and waitClose() waits for them",
  async ({ open }) => {
    const gateway = await open();
    const channel = gateway.remoteExec(`
    const mine = channel.gateway.newChannel();
    for (const item of [1, mine, 3]) await channel.send(item);
    await mine.send("through it");
  `);
    const items: unknown[] = [];
    channel.setCallback((item) => items.push(item));
    await assertRejects(() => channel.receive(), TypeError);
    await channel.waitClose();
    assertEquals([items.length, items[0], items[2]], [3, 1, 3]);
    assertEquals(await (items[1] as Channel).receive(), "through it");
  },
);

/** Collects garbage; the engine offers that under a flag alone. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}

forEachKindShared("a callback goes on when nobody here holds its channel any more", async ({ open }) => {
  const gateway = await open();
  const held = gateway.newChannel();
  const items: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const drop = async (): Promise<void> => {
    const channel = gateway.remoteExec(`
      const held = await channel.receive();
      for (let i = 0; i < 3; i++) await channel.send(await held.receive());
    `);
    await channel.send(held);
    channel.setCallback((item: unknown) => {
      if (item === END) resolve();
      else items.push(item);
    }, { endMarker: END });
  };
  await drop();
  collectGarbage();
  for (let i = 0; i < 3; i++) {
    await held.send(i);
    await until(`item ${i} is there`, () => items.length === i + 1);
  }
  await limited("the end", promise);
  assertEquals(items, [0, 1, 2]);
});

forEachKindShared(
  "makeFile() refuses another mode with a RangeError, and harms nothing",
  async ({ open }) => {
    const channel = (await open()).remoteExec(`
    try { channel.makeFile("rw") } catch (error) { await channel.send(error.name) }
  `);
    assertThrows(() => channel.makeFile("rw" as never), RangeError, "rw");
    assertEquals(await channel.receive(), "RangeError");
  },
);

forEachKindShared("a file at its end gives nothing, every time", async ({ open }) => {
  const gateway = await open();
  const file = gateway.remoteExec(``).makeFile("r");
  for (let i = 0; i < 3; i++) assertEquals([await file.read(1), await file.readLine()], ["", ""]);
  const channel = gateway.remoteExec(`
    const file = channel.makeFile("r");
    const got = [];
    for (let i = 0; i < 3; i++) got.push(await file.read(4), await file.readLine());
    await channel.send(got);
  `);
  await channel.closeWrite();
  assertEquals(await channel.receive(), ["", "", "", "", "", ""]);
});

forEachKindShared(
  "writes of large items that cross, from callbacks of both sides, all arrive",
  async ({ open }) => {
    const gateway = await open();
    const channel = gateway.remoteExec(`
    const balls = await channel.receive();
    await Promise.all(balls.map((ball) => new Promise((done) => {
      ball.setCallback(async (item) => {
        if (item === "end") return done();
        await ball.send(item);
      });
    })));
  `);
    const balls = [1, 2, 3, 4].map(() => gateway.newChannel());
    const rounds = 6;
    const size = 3 * MIB;
    const games = balls.map((ball, i) => {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      let count = 0;
      ball.setCallback(async (item: unknown) => {
        const bytes = item as Uint8Array;
        if (bytes.length !== size || bytes[0] !== i || bytes[size - 1] !== i) {
          reject(new Error("another item"));
        }
        if (++count < rounds) return await ball.send(bytes);
        await ball.send("end");
        resolve(count);
      });
      return promise;
    });
    await channel.send(balls);
    // More than the windows of both sides: each side waits in its callbacks for the other one to read.
    const served = balls.map((ball, i) => ball.send(new Uint8Array(size).fill(i)));
    assertEquals(await limited("all games", Promise.all(games), 15_000), [rounds, rounds, rounds, rounds]);
    await Promise.all(served);
    await channel.waitClose();
  },
);

forEachKindShared("large items of both sides, sent before either receives, all arrive", async ({ open }) => {
  const channel = (await open()).remoteExec(`
    const sent = [1, 2, 3].map((i) => channel.send(new Uint8Array(3 * 1024 * 1024).fill(i)));
    const got = [];
    for (let i = 0; i < 3; i++) got.push((await channel.receive()).at(-1));
    await Promise.all(sent);
    await channel.send(got);
  `);
  const sent = [4, 5, 6].map((i) => channel.send(new Uint8Array(3 * MIB).fill(i)));
  for (const i of [1, 2, 3]) assertEquals((await channel.receive() as Uint8Array).at(-1), i);
  await Promise.all(sent);
  assertEquals(await channel.receive(), [4, 5, 6]);
});

forEachKindShared("large items of many executions at the same time arrive whole", async ({ open }) => {
  const gateway = await open();
  const channels = [1, 2, 3, 4].map(() =>
    gateway.remoteExec(`for await (const item of channel) await channel.send(item)`)
  );
  await Promise.all(channels.map(async (channel, i) => {
    for (let round = 0; round < 3; round++) {
      const sent = new Uint8Array(3 * MIB).fill(10 * i + round);
      await channel.send(sent);
      assertEquals(Buffer.compare(await channel.receive() as Uint8Array, sent), 0);
    }
    await channel.closeWrite();
    await channel.waitClose();
  }));
}, { limit: 40_000 });

forEachKindShared("a stream of 400 MiB to a slower reader keeps the far side small", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const piece = new Uint8Array(1024 * 1024);
    await channel.send("up");
    await channel.receive();
    for (let i = 0; i < 400; i++) await channel.send(piece);
  `);
  assertEquals(await channel.receive(), "up");
  const { rss } = await gateway.remoteStatus();
  await channel.send("go");
  let most = 0;
  let count = 0;
  for await (const _ of channel) {
    // The question is what makes it slower.
    if (++count % 10 === 0) most = Math.max(most, (await gateway.remoteStatus()).rss - rss);
  }
  assertEquals(count, 400);
  assert(most < 300 * MIB, `${most} bytes more`);
}, { ownProcess: true, limit: 40_000 });

forEachKindShared(
  "close(error) takes an Error with its fields and its cause, and nothing but errors",
  async ({ open }) => {
    const gateway = await open();
    const channel = gateway.remoteExec(`
    const other = await channel.receive();
    const error = await other.receive().catch((error) => error);
    await channel.send([error.remoteName, error.remoteMessage, error.fields, error.cause?.remoteMessage]);
  `);
    const other = gateway.newChannel();
    await channel.send(other);
    for (const wrong of [42, null, {}, [], Symbol("s"), 7n, () => {}]) {
      await assertRejects(() => other.close(wrong as never), TypeError);
    }
    assert(!other.isClosed());
    await other.close(Object.assign(new RangeError("far", { cause: new Error("near") }), { code: 7 }));
    assertEquals(await channel.receive(), ["RangeError", "far", { code: 7 }, "near"]);
  },
);

forEachKindShared(
  "a program's callback collects the items of a loop and its end marker",
  async ({ open }) => {
    const channel = (await open()).remoteExec(`for (let i = 0; i < 10; i++) await channel.send(i)`);
    const items: unknown[] = [];
    channel.setCallback((item) => items.push(item), { endMarker: null });
    await channel.waitClose();
    assertEquals(items, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, null]);
  },
);

forEachKindShared("a loop over commands ends when its channel is closed", async ({ open }) => {
  const gateway = await open();
  const report = gateway.newChannel();
  const channel = gateway.remoteExec(`
    const report = await channel.receive();
    for await (const [name, ...args] of channel) await channel.send(name === "sum" ? args[0] + args[1] : name);
    await report.send("ended");
  `);
  await channel.send(report);
  await channel.send(["sum", 1, 2]);
  assertEquals(await channel.receive(), 3);
  await channel.send(["hello"]);
  assertEquals(await channel.receive(), "hello");
  await channel.close();
  assertEquals(await report.receive(), "ended");
  await until("nothing runs", async () => (await gateway.remoteStatus()).numExecuting === 0);
});

forEachKind("what remote code prints can be led over a channel by a file", async ({ open }) => {
  const gateway = await open();
  const output = gateway.newChannel();
  const channel = gateway.remoteExec(`
    const file = (await channel.receive()).makeFile("w", { proxyClose: true });
    const print = console.log;
    console.log = (...words) => void file.write(words.join(" ") + "\\n");
    console.log("hello", "world");
    console.log("again");
    console.log = print;
    await file.close();
  `);
  const lines = Array.fromAsync(output.makeFile("r"));
  await channel.send(output);
  assertEquals(await lines, ["hello world\n", "again\n"]);
  await channel.waitClose();
});

/** Serves tasks to executions that ask for them, as execnet's task server does: "ready", a task, its result, …, null. */
async function serveTasks(gateways: Gateway[], tasks: number[]): Promise<Map<number, unknown>> {
  const results = new Map<number, unknown>();
  const left = [...tasks];
  await Promise.all(gateways.map(async (gateway) => {
    const channel = gateway.remoteExec(`
      await channel.send("ready");
      for (let task; (task = await channel.receive()) !== null;) await channel.send([task, task * 10]);
    `);
    assertEquals(await channel.receive(), "ready");
    for (let task; (task = left.shift()) !== undefined;) {
      await channel.send(task);
      const [done, result] = await channel.receive() as [number, unknown];
      results.set(done, result);
    }
    await channel.send(null);
    await channel.waitClose();
    await assertRejects(() => channel.send(1), ChannelClosedError);
  }));
  return results;
}

forEachKindShared("gateways can pull tasks until there are none", async ({ open }) => {
  const gateways = await Promise.all([open(), open()]);
  const tasks = Array.from({ length: 30 }, (_, i) => i);
  const results = await serveTasks(gateways, tasks);
  assertEquals(tasks.map((task) => results.get(task)), tasks.map((task) => task * 10));
});

forEachKind("a callback may be set where all has ended, and collects what is left", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`await channel.send(1); await channel.send(2)`);
  await channel.waitClose();
  gateway.exit();
  await gateway.join();
  assertEquals(await collect(channel), [1, 2]);
});
