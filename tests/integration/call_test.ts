// deno-lint-ignore-file explicit-function-return-type -- functions that are shipped are written as users write them
/** call() and stream(): remote functions with arguments and results. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import type { Channel } from "../../mod.ts";
import { DumpError, EOFError, GatewayClosedError, RemoteError } from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { limited, TextTap, until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared, SEPARATE } from "./kinds.ts";

/** For what a loaded machine may take long for. */
const LIMIT_MS = 60_000;

forEachKindShared("call() gives what a function returns", async ({ open }) => {
  const gateway = await open();
  assertEquals(await gateway.call((a: number, b: string) => `${a}${b}`, 1, "x"), "1x");
  assertEquals(await gateway.call(async (n: number) => await Promise.resolve(n + 1), 41), 42);
  assertEquals(await gateway.call(() => {}), undefined);
  assertEquals(await gateway.call((map: Map<string, bigint>) => map.get("a"), new Map([["a", 7n]])), 7n);
  assertEquals(await gateway.call((bytes: Uint8Array) => bytes.length, new Uint8Array(3_000_000)), 3_000_000);
});

forEachKindShared("call() rejects with what the function throws, and its place", async ({ open }) => {
  const gateway = await open();
  const error = await assertRejects(
    () =>
      gateway.call((message: string) => {
        throw Object.assign(new RangeError(message, { cause: new Error("first") }), { code: 7 });
      }, "why"),
    RemoteError,
  ) as RemoteError;
  assertEquals([error.remoteName, error.remoteMessage, error.gatewayId], ["RangeError", "why", gateway.id]);
  assertEquals(error.fields, { code: 7 });
  assertEquals((error.cause as RemoteError).remoteMessage, "first");
  assertMatch(error.remoteStack!, /:\d+:\d+/);
  const rejected = await assertRejects(
    () => gateway.call(() => Promise.reject("text")),
    RemoteError,
  ) as RemoteError;
  assertEquals(rejected.remoteMessage, "text");
  assertEquals(await gateway.call(() => 1), 1);
});

forEachKindShared("call() that cannot send its arguments or its result says where", async ({ open }) => {
  const gateway = await open();
  const error = await assertRejects(() => gateway.call((x: unknown) => x, { a: [Symbol("s")] }), DumpError);
  assertMatch((error as DumpError).path, /\.a\[0\]$/);
  // The function was not sent with that call; the next one must not rely on it.
  assertEquals(await gateway.call((x: unknown) => x, 5), 5);
  const remote = await assertRejects(
    () => gateway.call(() => ({ deep: () => 1 })),
    RemoteError,
  ) as RemoteError;
  assertEquals(remote.remoteName, "DumpError");
  assertMatch(remote.remoteMessage, /deep/);
  assertEquals(await gateway.call(() => 1), 1);
});

forEachKindShared("many calls at once are all answered, each with its own", async ({ open }) => {
  const gateway = await open();
  const calls = Array.from({ length: 500 }, (_, i) =>
    gateway.call(async (i: number) => {
      if (i % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      if (i % 50 === 0) throw new Error(`bad ${i}`);
      return i * 2;
    }, i));
  const results = await Promise.allSettled(calls);
  for (const [i, result] of results.entries()) {
    if (i % 50 === 0) assertEquals((result as PromiseRejectedResult).reason.remoteMessage, `bad ${i}`);
    else assertEquals((result as PromiseFulfilledResult<number>).value, i * 2);
  }
});

forEachKindShared("more functions may be called than the far side remembers", async ({ open }) => {
  const gateway = await open();
  const make = (i: number): () => number => new Function(`return () => ${i}`)();
  for (let round = 0; round < 2; round++) {
    const results = await Promise.all(Array.from({ length: 1_200 }, (_, i) => gateway.call(make(i))));
    assertEquals(results, Array.from({ length: 1_200 }, (_, i) => i));
  }
}, { limit: 60_000 });

forEachKind("a call that is busy does not hold up later ones", async ({ open }) => {
  await withFolder(async (folder) => {
    const gateway = await open(`allow-read=${folder}`);
    const enough = `${folder}/enough`;
    let over = false;
    const busy = gateway.call(
      (path: string, ms: number) => {
        for (const end = Date.now() + ms; Date.now() < end;) {
          try {
            Deno.statSync(path);
            return;
          } catch {
            // Not yet.
          }
        }
      },
      enough,
      LIMIT_MS,
    ).finally(() => over = true);
    // Only its silence tells that a service is busy: what is asked of it before that waits with it.
    let overtaken = false;
    await until("a call that overtakes", () => {
      gateway.call(() => "fast").then(() => overtaken = true, () => {});
      return overtaken;
    }, LIMIT_MS / 2);
    assert(!over);
    await Deno.writeTextFile(enough, "");
    await busy;
  });
}, { models: SEPARATE, limit: LIMIT_MS });

forEachKindShared("calls are counted as executions, and nothing is left of them", async ({ open }) => {
  const gateway = await open();
  const waiting = gateway.call(() => new Promise((resolve) => setTimeout(resolve, 300, "done")));
  await until("it runs", async () => (await gateway.remoteStatus()).numExecuting === 1);
  assertEquals(await waiting, "done");
  const { numExecuting, numChannels } = await gateway.remoteStatus();
  assertEquals([numExecuting, numChannels], [0, 0]);
});

forEachKindShared("channels may be arguments and results of calls", async ({ open }) => {
  const gateway = await open();
  const side = gateway.newChannel<string, number>();
  await side.send(5);
  const same = await gateway.call(async (channel: Channel<number, string>) => {
    await channel.send(`got ${await channel.receive()}`);
    return channel;
  }, side);
  assert(same as unknown === side);
  assertEquals(await side.receive(), "got 5");
});

forEachKindShared("a function of a call sees no channel", async ({ open }) => {
  const gateway = await open();
  // deno-lint-ignore no-explicit-any -- it is no global here
  assertEquals(await gateway.call(() => typeof (globalThis as any).channel), "undefined");
}, { models: SEPARATE });

forEachKind("calls reject when the gateway ends", async ({ open }) => {
  const gateway = await open();
  const calls = [1, 2, 3].map(() => gateway.call(() => new Promise(() => {})));
  await gateway.remoteStatus();
  const settled = Promise.allSettled(calls);
  gateway.exit();
  for (const result of await limited("the calls", settled)) {
    assert((result as PromiseRejectedResult).reason instanceof EOFError);
  }
  await gateway.join();
  await assertRejects(() => gateway.call(() => 1), GatewayClosedError);
});

forEachKind("calls reject when their service ends itself, and later ones get another", async ({ open }) => {
  const gateway = await open();
  const calls = [gateway.call(() => new Promise(() => {})), gateway.call(() => Deno.exit(3))];
  const results = await limited("the calls", Promise.allSettled(calls));
  assertEquals(results.map(({ status }) => status), ["rejected", "rejected"]);
  assertEquals(await gateway.call(() => 1), 1);
}, { models: SEPARATE });

forEachKindShared("stream() gives what a generator gives", async ({ open }) => {
  const gateway = await open();
  const count = gateway.stream(function* (n: number) {
    for (let i = 0; i < n; i++) yield i;
  }, 1_000);
  assertEquals(await Array.fromAsync(count), Array.from({ length: 1_000 }, (_, i) => i));
  // Iterating again is another execution.
  assertEquals((await Array.fromAsync(count)).length, 1_000);
  const slow = gateway.stream(async function* (words: string[]) {
    for (const word of words) yield await Promise.resolve(word.toUpperCase());
  }, ["a", "b"]);
  assertEquals(await Array.fromAsync(slow), ["A", "B"]);
  assertEquals(await Array.fromAsync(gateway.stream(() => [1, 2, 3])), [1, 2, 3]);
  assertEquals(await Array.fromAsync(gateway.stream(() => Promise.resolve(new Set(["x"])))), ["x"]);
});

forEachKindShared("stream() throws what the generator throws, after what it gave", async ({ open }) => {
  const gateway = await open();
  const got: number[] = [];
  const error = await assertRejects(async () => {
    for await (
      const item of gateway.stream(function* () {
        yield 1;
        yield 2;
        throw new RangeError("enough");
      })
    ) got.push(item);
  }, RemoteError) as RemoteError;
  assertEquals(got, [1, 2]);
  assertEquals([error.remoteName, error.remoteMessage], ["RangeError", "enough"]);
  await assertRejects(() => Array.fromAsync(gateway.stream((() => 5) as never)), RemoteError, "iterated");
});

/** Says over a channel of its own when it has been stopped. */
const GENERATORS = {
  "that runs ahead": function* (done: Channel<unknown, string>) {
    try {
      for (let i = 0;; i++) yield i;
    } finally {
      void done.send("stopped");
    }
  },
  "that waits": async function* (done: Channel<unknown, string>) {
    try {
      for (let i = 0;; i++) {
        yield i;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    } finally {
      await done.send("stopped");
    }
  },
};

for (const [name, generator] of Object.entries(GENERATORS)) {
  forEachKindShared(`leaving a stream early stops a generator ${name}`, async ({ open }) => {
    const gateway = await open();
    const done = gateway.newChannel<string, null>();
    // deno-lint-ignore no-explicit-any -- either of two generators
    const items = gateway.stream(generator as any, done) as AsyncIterable<number>;
    for await (const item of items) if (item === 3) break;
    assertEquals(await done.receive({ timeout: 5_000 }), "stopped");
    await until("it is gone", async () => (await gateway.remoteStatus()).numExecuting === 0);
  });
}

forEachKindShared("leaving a stream early ends a generator that never comes back", async ({ open }) => {
  const gateway = await open();
  const items = gateway.stream(async function* () {
    yield 1;
    await new Promise(() => {});
  });
  for await (const item of items) {
    assertEquals(item, 1);
    break;
  }
  await until("it is gone", async () => (await gateway.remoteStatus()).numExecuting === 0, 10_000);
});

forEachKindShared("a slow loop slows a stream", async ({ open }) => {
  const gateway = await open();
  const counter = gateway.newChannel<number, null>();
  const iterator = gateway.stream(async function* (counter: Channel<null, number>) {
    let made = 0;
    counter.setCallback(() => counter.send(made));
    while (true) {
      made++;
      yield new Uint8Array(100_000);
      await Promise.resolve();
    }
  }, counter)[Symbol.asyncIterator]();
  await iterator.next();
  const made = async (): Promise<number> => {
    await counter.send(null);
    return await counter.receive();
  };
  let last = -1;
  await until("it stands still", async () => {
    const now = await made();
    const still = now === last;
    last = now;
    return still;
  });
  assert(last * 100_000 < 20_000_000, `${last} pieces`);
  await iterator.return!();
});

forEachKindShared("a stream that nobody iterates starts nothing", async ({ open }) => {
  const gateway = await open();
  gateway.stream(function* () {
    yield 1;
  });
  assertEquals((await gateway.remoteStatus()).numChannels, 0);
  assertThrows(() => gateway.stream(5 as never), TypeError);
  await assertRejects(() => gateway.call(function* () {} as never), TypeError, "stream");
});

forEachKindShared(
  "call() names the path of an argument or a result that cannot be sent",
  async ({ open }) => {
    const gateway = await open();
    const path = async (call: () => Promise<unknown>): Promise<string> =>
      (await assertRejects(call, DumpError) as DumpError).path;
    assertEquals(
      await path(() => gateway.call((a: unknown, b: unknown) => [a, b], 1, { a: [Symbol()] })),
      "$[1].a[0]",
    );
    const items = gateway.stream((a: unknown) => [a], { a: Symbol() });
    assertEquals(await path(() => Array.fromAsync(items)), "$[0].a");
    const remote = await assertRejects(
      () => gateway.call(() => ({ b: () => 1 })),
      RemoteError,
    ) as RemoteError;
    assertMatch(remote.remoteMessage, /Cannot send \$\.b:/);
  },
);

forEachKindShared("a channel leads a call to the service that has it", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.newChannel<number, number>();
  const use = (channel: Channel<number, number>): Promise<void> => channel.send(7);
  const busy = gateway.call(() => {
    const end = Date.now() + 300;
    while (Date.now() < end);
  });
  await until("a further service", async () => await gateway.call(() => true));
  await gateway.call(use, channel);
  assertEquals(await channel.receive(), 7);
  await busy;
  for (let i = 0; i < 4; i++) {
    await gateway.call(use, channel);
    assertEquals(await channel.receive(), 7);
  }
}, { models: SEPARATE });

forEachKind("an error that nobody catches ends no calls", async ({ open }) => {
  const gateway = await open("", { stderr: "piped" });
  const output = new TextTap(gateway.stderr!);
  const waiting = gateway.call(() => new Promise((resolve) => setTimeout(resolve, 300, "done")));
  const stray = gateway.call(() => {
    Promise.reject(new Error("stray"));
    return "returned";
  });
  assertEquals(await Promise.all([waiting, stray]), ["done", "returned"]);
  await output.has("stray");
  gateway.exit();
  await output.ended;
});

forEachKindShared("the errors of an AggregateError arrive", async ({ open }) => {
  const gateway = await open();
  const error = await assertRejects(
    () =>
      gateway.call(() => Promise.any([Promise.reject(new RangeError("a")), Promise.reject(new Error("b"))])),
    RemoteError,
  ) as RemoteError;
  assertEquals(error.errors.map((one) => [one.remoteName, one.remoteMessage]), [["RangeError", "a"], [
    "Error",
    "b",
  ]]);
  assertMatch(error.formatted, /RangeError: a[^]*Error: b/);
});
