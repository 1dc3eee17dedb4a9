/** Group.map(): a pool of gateways. */

import { assert, assertEquals, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import type { Channel, MapProgress } from "../../mod.ts";
import { DumpError, GatewayClosedError, Group, RemoteError } from "../../mod.ts";
import { limited, until } from "../helpers/wait.ts";
import { forEachKind } from "./kinds.ts";

const NUMBERS = Array.from({ length: 60 }, (_, i) => i);

forEachKind("map() gives a result for each input, in any order", async ({ open, group }) => {
  await Promise.all([open(), open()]);
  const results = await Array.fromAsync(group.map((n: number) => n * n, NUMBERS));
  assertEquals(results.sort((a, b) => a - b), NUMBERS.map((n) => n * n));
}, { alone: true });

forEachKind("map() gives results in order when asked to", async ({ open, group }) => {
  await Promise.all([open(), open()]);
  const wait = async (n: number): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, n % 5));
    return n;
  };
  const results = await Array.fromAsync(group.map(wait, NUMBERS, { ordered: true, concurrency: 4 }));
  assertEquals(results, NUMBERS);
}, { alone: true });

forEachKind("map() uses every gateway, and takes undefined for a result", async ({ open, group }) => {
  await Promise.all([open("id=a"), open("id=b")]);
  const results = group.map(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return performance.timeOrigin;
  }, NUMBERS.slice(0, 10));
  assertEquals(new Set(await Array.fromAsync(results)).size, 2);
  assertEquals(await Array.fromAsync(group.map(() => undefined, NUMBERS.slice(0, 2))), [
    undefined,
    undefined,
  ]);
}, { alone: true });

forEachKind("map() reports its progress", async ({ open, group }) => {
  await open();
  const seen: MapProgress[] = [];
  await Array.fromAsync(group.map((n: number) => n, NUMBERS, { onProgress: (p) => seen.push(p) }));
  assertEquals(seen.length, NUMBERS.length);
  assertEquals(seen.at(-1), { done: 60, failed: 0, total: 60 });
  const unknown: MapProgress[] = [];
  const inputs = NUMBERS.slice(0, 3).values();
  await Array.fromAsync(group.map((n: number) => n, inputs, { onProgress: (p) => unknown.push(p) }));
  assertEquals(unknown.at(-1), { done: 3, failed: 0 });
}, { alone: true });

forEachKind(
  "map() pulls inputs only as they are worked on and results are taken",
  async ({ open, group }) => {
    await Promise.all([open(), open()]);
    let pulled = 0;
    let returned = false;
    async function* inputs(): AsyncGenerator<number> {
      try {
        while (true) yield await Promise.resolve(pulled++);
      } finally {
        returned = true;
      }
    }
    const iterator = group.map((n: number) => n, inputs())[Symbol.asyncIterator]();
    assertEquals(pulled, 0);
    for (let taken = 1; taken <= 20; taken++) {
      await iterator.next();
      assert(pulled <= taken + 2, `${pulled} pulled, ${taken} taken`);
    }
    await iterator.return!();
    assert(returned);
    await until("nothing is left", async () => {
      const states = await Promise.all([...group].map((gateway) => gateway.remoteStatus()));
      return states.every(({ numExecuting, numChannels }) => numExecuting + numChannels === 0);
    });
  },
  { alone: true },
);

forEachKind("map() throws what the function throws, and ends the rest", async ({ open, group }) => {
  await Promise.all([open(), open()]);
  const iterate = async (): Promise<void> => {
    const results = group.map((n: number) => {
      if (n === 10) throw new RangeError("ten");
      return n;
    }, NUMBERS);
    for await (const result of results) assert(result !== 10);
  };
  const error = await assertRejects(iterate, RemoteError) as RemoteError;
  assertEquals([error.remoteName, error.remoteMessage], ["RangeError", "ten"]);
  await until("nothing is left", async () => {
    const states = await Promise.all([...group].map((gateway) => gateway.remoteStatus()));
    return states.every(({ numExecuting }) => numExecuting === 0);
  });
}, { alone: true });

forEachKind("map() gives what a dying gateway worked on to another one", async ({ open, group }) => {
  const [victim] = await Promise.all([open(), open(), open()]);
  const { pid } = await victim!.remoteInfo();
  const work = ({ n, pid }: { n: number; pid: number }): number | Promise<number> =>
    pid === Deno.pid || pid === Deno.ppid ? new Promise<number>(() => {}) : n;
  const seen: MapProgress[] = [];
  const onProgress = (progress: MapProgress): void => {
    seen.push(progress);
    // All the rest is done when only the victim's own two are left.
    if (progress.done === NUMBERS.length - 2 && progress.failed === 0) Deno.kill(pid, "SIGKILL");
  };
  const inputs = NUMBERS.map((n) => ({ n, pid }));
  const results = await Array.fromAsync(group.map(work, inputs, { onProgress, concurrency: 2 }));
  assertEquals(results.sort((a, b) => a - b), NUMBERS);
  assertEquals(seen.at(-1), { done: NUMBERS.length, failed: 2, total: NUMBERS.length });
}, { alone: true, local: true });

forEachKind(
  "map() ends with the error when the last gateway dies, or retries are used up",
  async ({ open, group }) => {
    const gateways = await Promise.all([open(), open()]);
    const pids = await Promise.all(gateways.map(async (gateway) => (await gateway.remoteInfo()).pid));
    const never = async (): Promise<void> => {
      const results = group.map(() => new Promise<number>(() => {}), NUMBERS);
      const all = Array.fromAsync(results);
      await until("both work", async () => {
        const states = await Promise.all(gateways.map((gateway) => gateway.remoteStatus({ timeout: 5_000 })));
        return states.every(({ numExecuting }) => numExecuting === 1);
      });
      for (const pid of pids) Deno.kill(pid, "SIGKILL");
      await all;
    };
    await assertRejects(() => limited("the map", never(), 10_000), GatewayClosedError);
  },
  { alone: true, local: true },
);

forEachKind("map() without retries ends with the first gateway that dies", async ({ open, group }) => {
  const [gateway] = await Promise.all([open(), open()]);
  const { pid } = await gateway!.remoteInfo();
  const all = Array.fromAsync(group.map(() => new Promise<number>(() => {}), NUMBERS, { retries: 0 }));
  await until("it works", async () => (await gateway!.remoteStatus()).numExecuting === 1);
  Deno.kill(pid, "SIGKILL");
  await assertRejects(() => limited("the map", all, 10_000), GatewayClosedError);
}, { alone: true, local: true });

forEachKind("map() does without gateways that were dead before", async ({ open, group }) => {
  const [dead] = await Promise.all([open(), open()]);
  const results = group.map((n: number) => n, NUMBERS, { retries: 0 });
  dead!.exit();
  await dead!.join();
  assertEquals((await Array.fromAsync(results)).sort((a, b) => a - b), NUMBERS);
}, { alone: true });

forEachKind("map() ends by its signal", async ({ open, group }) => {
  await open();
  const abort = new AbortController();
  const reason = new Error("enough");
  const all = Array.fromAsync(
    group.map((n: number) => n === 3 ? new Promise<number>(() => {}) : n, NUMBERS, {
      signal: abort.signal,
      onProgress: ({ done }) => done === 3 && abort.abort(reason),
    }),
  );
  assert(await limited("the map", assertRejects(() => all)) === reason);
  await until("nothing runs", async () => (await group.get(0)!.remoteStatus()).numExecuting === 0);
  const aborted = group.map((n: number) => n, NUMBERS, { signal: AbortSignal.abort(reason) });
  assert(await assertRejects(() => Array.fromAsync(aborted)) === reason);
}, { alone: true });

forEachKind("map() passes on errors of its inputs and of onProgress", async ({ open, group }) => {
  await open();
  function* inputs(): Generator<number> {
    yield 1;
    throw new RangeError("no more");
  }
  await assertRejects(() => Array.fromAsync(group.map((n: number) => n, inputs())), RangeError, "no more");
  const onProgress = (): void => {
    throw new RangeError("shy");
  };
  await assertRejects(
    () => Array.fromAsync(group.map((n: number) => n, [1], { onProgress })),
    RangeError,
    "shy",
  );
}, { alone: true });

forEachKind("map() of nothing is nothing, and of no gateways a TypeError", async ({ open, group }) => {
  assertThrows(() => group.map((n: number) => n, [1]), TypeError, "no gateways");
  await open();
  assertEquals(await Array.fromAsync(group.map((n: number) => n, [])), []);
  assertThrows(() => group.map((n: number) => n, [1], { concurrency: 0 }), RangeError);
  assertThrows(() => group.map((n: number) => n, [1], { retries: -1 }), RangeError);
  assertEquals((await Array.fromAsync(new Group().map.call(group, (n: unknown) => n, [1, 2]))).length, 2);
}, { alone: true });

forEachKind(
  "leaving a map starts nothing more, and keeps the program alive for nothing",
  async ({ open, group }) => {
    const gateway = await open();
    const started = gateway.newChannel<number, never>();
    const results = group.map(
      async ({ n, started }: { n: number; started: Channel<never, number> }) => {
        await started.send(n);
        return n;
      },
      [0, 1, 2, 3].map((n) => ({ n, started: started as unknown as Channel<never, number> })),
    );
    for await (const result of results) {
      assertEquals(result, 0);
      break;
    }
    const { numExecuting } = await gateway.remoteStatus();
    assertEquals(numExecuting, 0);
    // What a later call finds is all that was ever started.
    await gateway.call(() => 1);
    assertEquals(await started.receive({ timeout: 0 }), 0);
    await assertRejects(() => started.receive({ timeout: 100 }));
  },
  { alone: true },
);

forEachKind("remoteStatus() counts what a map works on", async ({ open, group }) => {
  const gateway = await open();
  const abort = new AbortController();
  const all = Array.fromAsync(
    group.map(() => new Promise<number>(() => {}), [1, 2], { concurrency: 2, signal: abort.signal }),
  );
  await until("both run", async () => (await gateway.remoteStatus()).numExecuting === 2);
  abort.abort();
  await assertRejects(() => all);
  await until("none runs", async () => (await gateway.remoteStatus()).numExecuting === 0);
}, { alone: true });

forEachKind("map() names the path of an input that cannot be sent", async ({ open, group }) => {
  await open();
  const all = (): Promise<unknown> => Array.fromAsync(group.map((x: unknown) => x, [{ a: [Symbol()] }]));
  assertEquals((await assertRejects(all, DumpError) as DumpError).path, "$.a[0]");
}, { alone: true });
