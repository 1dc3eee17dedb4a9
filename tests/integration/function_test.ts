// deno-lint-ignore-file explicit-function-return-type -- functions that are shipped are written as users write them
/** Shipping functions: what they get, what they may refer to, and what their errors show. */

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import type { Channel, Item } from "../../mod.ts";
import { ChannelClosedError, DumpError, EOFError, RemoteError } from "../../mod.ts";
import { until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared } from "./kinds.ts";

const outside = 5;

forEachKind("remoteExec() of a function gives it its channel and kwargs", async ({ open }) => {
  const gateway = await open("id=alpha");
  const channel = gateway.remoteExec(
    async (channel: Channel<number, unknown>, { factor, name }: { factor: number; name: string }) => {
      await channel.send([name, await channel.receive() * factor, channel.gateway.id]);
    },
    { factor: 2, name: "x" },
  );
  await channel.send(21);
  assertEquals(await channel.receive(), ["x", 42, "alpha"]);
  await channel.waitClose();
  await assertRejects(() => channel.receive(), EOFError);
});

forEachKindShared("remoteExec() runs functions of every form", async ({ open }) => {
  const gateway = await open();
  const forms: ((channel: Channel) => unknown)[] = [
    (channel) => channel.send(1),
    (channel) => {
      channel.send(1);
    },
    async (channel) => {
      await channel.send(1);
    },
    function (channel) {
      return channel.send(1);
    },
    async function named(channel) {
      if (named.length === 1) await channel.send(1);
    },
    function self(channel, again = true): unknown {
      return again ? self(channel, false) : channel.send(1);
    },
  ];
  for (const form of forms) assertEquals(await gateway.remoteExec(form).receive(), 1, String(form));
});

forEachKindShared("a function finds the globals of executions", async ({ open }) => {
  const own = (await open()).remoteExec(async (channel) => {
    // deno-lint-ignore no-explicit-any -- globals of executions have no types here
    await channel.send([(globalThis as any).__name__ ?? "shared", typeof Deno.version.deno, typeof fetch]);
  });
  const [name, ...types] = await own.receive() as string[];
  assertMatch(name!, /^(__channelexec__|shared)$/);
  assertEquals(types, ["string", "function"]);
});

forEachKind(
  "a function that refers to what is not there is a TypeError before anything is sent",
  async ({ open }) => {
    const gateway = await open();
    const error = assertThrows(() => gateway.remoteExec((channel) => channel.send(outside)), TypeError);
    assertMatch(error.message, /"outside"/);
    assertMatch(error.message, /\b\d+:\d+\b|line \d+, column \d+/);
    assertThrows(() => gateway.remoteExec((channel) => assertEquals(channel, 1)), TypeError, "assertEquals");
    await assertRejects(() => gateway.call(() => outside), TypeError, "outside");
    assertThrows(() => gateway.stream(() => [outside]), TypeError, "outside");
    assertThrows(() => gateway.group.map(() => outside, [1]), TypeError, "outside");
    const { numExecuting, numChannels } = await gateway.remoteStatus();
    assertEquals([numExecuting, numChannels], [0, 0]);
  },
);

forEachKind(
  "a variable around a function is no global of the far side, whatever its name",
  async ({ open }) => {
    const gateway = await open();
    class Event {}
    const handler = () => 2;
    assertEquals([Event.name, handler()], ["Event", 2]);
    await assertRejects(() => gateway.call(() => new Event()), TypeError, `"Event"`);
    await assertRejects(
      () => gateway.call(() => typeof handler === "function" ? handler() : "missing"),
      TypeError,
      `"handler"`,
    );
    const channel = gateway.newChannel();
    await assertRejects(() => gateway.call(() => channel.id), TypeError, `"channel"`);
    assertThrows(() => gateway.stream(() => [channel.id]), TypeError, `"channel"`);
    assertThrows(() => gateway.group.map(() => channel.id, [1]), TypeError, `"channel"`);
    await channel.close();
  },
);

forEachKind("only functions of remoteExec have the globals of a channel", async ({ open }) => {
  const gateway = await open();
  const text = "() => channel.send(__name__)";
  const make = (): () => unknown => new Function(`return ${text}`)();
  assertEquals(await gateway.remoteExec(make()).receive(), "__channelexec__");
  await assertRejects(() => gateway.call(make()), TypeError, `"channel"`);
  assertThrows(() => gateway.stream(make() as () => Item[]), TypeError, `"channel"`);
  assertThrows(() => gateway.group.map(make(), [1]), TypeError, `"channel"`);
});

forEachKindShared("functions that cannot be sent are refused with the reason", async ({ open }) => {
  const gateway = await open();
  const object = {
    method(channel: Channel) {
      return channel.send(1);
    },
  };
  class Class {}
  const cases: [fn: unknown, reason: RegExp][] = [
    [object.method, /method/],
    [((channel: Channel) => channel).bind(null), /bound/],
    [Math.max, /native/],
    [Class, /class/],
    [function* () {}, /generator/],
  ];
  for (const [fn, reason] of cases) {
    const error = assertThrows(() => gateway.remoteExec(fn as () => void), TypeError);
    assertMatch(error.message, reason);
  }
});

forEachKindShared("kwargs may be anything that can be sent, channels too", async ({ open }) => {
  const gateway = await open();
  const side = gateway.newChannel();
  const channel = gateway.remoteExec(
    async (channel, { side, values }: { side: Channel; values: Map<string, Item> }) => {
      await side.send([...values.keys()]);
      await channel.send(values.get("b")!);
    },
    { side, values: new Map<string, Item>([["a", 1n], ["b", new Date(0)]]) },
  );
  assertEquals(await side.receive(), ["a", "b"]);
  assertEquals(await channel.receive(), new Date(0));
  await channel.waitClose();
});

forEachKindShared("kwargs that cannot be sent are a DumpError before anything is sent", async ({ open }) => {
  const gateway = await open();
  const error = assertThrows(
    () =>
      gateway.remoteExec((channel, kwargs) => channel.send(kwargs as unknown as Item), {
        deep: [{ fn: () => 1 }],
      }),
    DumpError,
  );
  assertMatch(error.path, /\.kwargs\.deep\[0\]\.fn$/);
  const { numExecuting, numChannels } = await gateway.remoteStatus();
  assertEquals([numExecuting, numChannels], [0, 0]);
  assertEquals(await gateway.remoteExec((channel) => channel.send(2)).receive(), 2);
});

forEachKindShared("text takes no kwargs, and options are known by name", async ({ open }) => {
  const gateway = await open();
  assertThrows(() => gateway.remoteExec("1", { kwargs: { a: 1 } } as never), TypeError, "kwargs");
  assertThrows(() => gateway.remoteExec("1", { timout: 5 } as never), TypeError, "timout");
  assertThrows(() => gateway.remoteExec(() => 1, undefined, { timout: 5 } as never), TypeError, "timout");
});

forEachKindShared("an exception of a function shows its place", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(function outer() {
    function inner(): never {
      throw new RangeError("why");
    }
    inner();
  });
  const error = await assertRejects(() => channel.waitClose(), RemoteError) as RemoteError;
  assertEquals([error.remoteName, error.remoteMessage], ["RangeError", "why"]);
  assertMatch(error.remoteStack!, /inner .*:\d+:\d+[^]*outer .*:\d+:\d+/);
});

forEachKindShared("a function may be ended by a timeout", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(() => new Promise(() => {}), undefined, { timeout: 100 });
  const error = await assertRejects(() => channel.receive(), RemoteError) as RemoteError;
  assertEquals(error.remoteName, "TimeoutError");
  await until("it is gone", async () => (await gateway.remoteStatus()).numExecuting === 0);
});

forEachKindShared("a function that outlives its channel ends quietly", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(async (channel: Channel<number, number>) => {
    for (let i = 0;; i++) await channel.send(i);
  });
  assertEquals(await channel.receive(), 0);
  await channel.close();
  await assertRejects(() => channel.send(1), ChannelClosedError);
  await until("it is gone", async () => (await gateway.remoteStatus()).numExecuting === 0);
  assert(gateway.hasReceiver());
});

forEachKindShared("a name of any characters is shown and harms no place", async ({ open }) => {
  const gateway = await open();
  for (const name of ["a>b", "a\nb", "\ud800", "<x>"]) {
    const channel = gateway.remoteExec(
      () => {
        throw new Error("why");
      },
      undefined,
      { name },
    );
    const error = await assertRejects(() => channel.waitClose(), RemoteError) as RemoteError;
    assertEquals(error.remoteMessage, "why");
    assertMatch(error.remoteStack!, /function_test\.ts:\d+:\d+/);
  }
});
