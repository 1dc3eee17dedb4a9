// deno-lint-ignore-file explicit-function-return-type -- functions that are shipped are written as users write them
/**
 * What the types say: channels are mirrored, arguments and results are inferred, and a wrong item does not compile.
 * `deno check` is the test; each `@ts-expect-error` fails it when its line compiles.
 */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { MultiChannel } from "../mod.ts";
import type { Channel, Gateway, Group, Item, ReceiveQueue } from "../mod.ts";

/** Whether two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Compiles only for `true`. */
function holds<_T extends true>(): void {}

/** Never called: what is in it is checked and not run. */
function checked(gateway: Gateway, group: Group): unknown[] {
  async function remoteExec(): Promise<void> {
    const channel = gateway.remoteExec(
      async (channel: Channel<number, string>, { times }: { times: number }) => {
        const count = await channel.receive();
        holds<Same<typeof count, number>>();
        await channel.send("x".repeat(count * times));
        // @ts-expect-error: it sends strings
        await channel.send(1);
      },
      { times: 2 },
    );
    holds<Same<typeof channel, Channel<string, number, Gateway>>>();
    await channel.send(1);
    const text = await channel.receive();
    holds<Same<typeof text, string>>();
    // @ts-expect-error: it receives numbers
    await channel.send("1");
    // @ts-expect-error: kwargs of another type
    gateway.remoteExec((_: Channel, kwargs: { times: number }) => kwargs, { times: "2" });
    // @ts-expect-error: there is no such option
    gateway.remoteExec("1", { timout: 1 });
    for await (const item of channel) holds<Same<typeof item, string>>();
    channel.setCallback((item) => holds<Same<typeof item, string>>());
    holds<Same<typeof channel.readable, ReadableStream<string>>>();
    holds<Same<typeof channel.writable, WritableStream<number>>>();
    holds<Same<typeof channel.gateway, Gateway>>();
  }

  async function untyped(): Promise<void> {
    const channel = gateway.remoteExec("channel.send(1)");
    holds<Same<typeof channel, Channel<Item, Item, Gateway>>>();
    const plain = gateway.remoteExec(async (channel) => {
      holds<Same<typeof channel, Channel<Item, Item>>>();
      await channel.send([1, { a: new Map([["b", 1n]]) }]);
      // @ts-expect-error: a function is no item
      await channel.send(() => 1);
    });
    holds<Same<typeof plain, Channel<Item, Item, Gateway>>>();
    const typed = gateway.remoteExec<number, string>(new URL("file:///job.ts"));
    holds<Same<typeof typed, Channel<string, number, Gateway>>>();
    const made = gateway.newChannel<Date, bigint>();
    holds<Same<typeof made, Channel<Date, bigint, Gateway>>>();
    // @ts-expect-error: it sends bigints
    await made.send(1);
  }

  async function call(): Promise<void> {
    const sum = await gateway.call((a: number, b: number) => a + b, 1, 2);
    holds<Same<typeof sum, number>>();
    const late = await gateway.call(async (text: string) => await Promise.resolve([text]), "x");
    holds<Same<typeof late, string[]>>();
    // @ts-expect-error: an argument of another type
    await gateway.call((a: number) => a, "1");
    // @ts-expect-error: too few arguments
    await gateway.call((a: number, b: number) => a + b, 1);
    // @ts-expect-error: too many arguments
    await gateway.call(() => 1, 1);
  }

  async function stream(): Promise<void> {
    const numbers = gateway.stream(function* (n: number) {
      yield n;
    }, 1);
    holds<Same<typeof numbers, AsyncIterable<number>>>();
    for await (
      const text of gateway.stream(async function* (text: string) {
        yield await Promise.resolve(text);
      }, "x")
    ) holds<Same<typeof text, string>>();
    // @ts-expect-error: nothing to iterate over
    gateway.stream(() => 1);
    // @ts-expect-error: an argument of another type
    gateway.stream((n: number) => [n], "1");
  }

  async function map(): Promise<void> {
    for await (const size of group.map((path: string) => path.length, ["a"])) {
      holds<Same<typeof size, number>>();
    }
    const late = group.map(async (n: number) => await Promise.resolve(String(n)), new Set([1]));
    holds<Same<typeof late, AsyncIterable<string>>>();
    // @ts-expect-error: inputs of another type
    group.map((n: number) => n, ["a"]);
  }

  async function channelsInArguments(): Promise<void> {
    const side = gateway.newChannel<string, number>();
    gateway.remoteExec(async (channel, { side }: { side: Channel<number, string> }) => {
      await side.send(String(await side.receive()));
      await channel.send(1);
    }, { side });
    const same = await gateway.call(
      async (side: Channel<number, string>, times: number) => {
        await side.send("x".repeat(times));
        return times;
      },
      side,
      3,
    );
    holds<Same<typeof same, number>>();
    gateway.stream(function* (sides: Channel<number, string>[]) {
      yield sides.length;
    }, [side]);
    const inferred = await gateway.call((x) => x + 1, 1);
    holds<Same<typeof inferred, number>>();
    interface Named {
      name: string;
      at?: Date;
    }
    const named: Named = { name: "x" };
    await gateway.call((one: Named, bytes: Uint8Array) => one.name + bytes.length, named, new Uint8Array(1));
    await gateway.call(
      (one: unknown, other: Item[], side: Channel<1, 2>) => [one, other, side],
      named,
      [{ a: [1] }],
      {
        side: gateway.newChannel<2, 1>(),
      }.side,
    );
    gateway.remoteExec((_, kwargs) => kwargs, named);
  }

  function modules(): void {
    const job = new URL("file:///job.ts");
    type Job = (channel: Channel<number, string>, kwargs: { times: number }) => Promise<void>;
    const typed = gateway.remoteExec<Job>(job, { kwargs: { times: 1 } });
    holds<Same<typeof typed, Channel<string, number, Gateway>>>();
    const also = gateway.remoteExec<Job>(job, { times: 1 }, { timeout: 5 });
    holds<Same<typeof also, Channel<string, number, Gateway>>>();
    const plain = gateway.remoteExec(job, { kwargs: { anything: 1 } });
    holds<Same<typeof plain, Channel<Item, Item, Gateway>>>();
    // @ts-expect-error: kwargs of another type
    gateway.remoteExec<Job>(job, { kwargs: { times: "1" } });
  }

  async function many(): Promise<void> {
    const channels = group.remoteExec((channel: Channel<number, string>) => channel.send("x"));
    holds<Same<typeof channels, MultiChannel<Channel<string, number, Gateway>>>>();
    await channels.sendEach(1);
    // @ts-expect-error: they take numbers
    await channels.sendEach("1");
    const texts = await channels.receiveEach();
    holds<Same<typeof texts, string[]>>();
    for await (const [channel, item] of channels.makeReceiveQueue({ endMarker: null })) {
      holds<Same<typeof item, string | null>>();
      holds<Same<typeof channel.gateway, Gateway>>();
    }
    const plain = new MultiChannel([gateway.newChannel()]).makeReceiveQueue();
    const queue: ReceiveQueue = plain;
    const [, anything] = await queue.get();
    holds<Same<typeof anything, unknown>>();
    const items = await group.remoteExec("1").receiveEach();
    holds<Same<typeof items, Item[]>>();
  }

  return [remoteExec, untyped, call, stream, map, channelsInArguments, modules, many];
}

Deno.test("the types are checked by deno check, and what they describe exists", () => {
  assertEquals(typeof checked, "function");
});
