import { assert, assertEquals, assertRejects, assertStringIncludes } from "jsr:@std/assert@^1.0.19";
import { Channel } from "../../channel/channel.ts";
import { ChannelClosedError, DumpError, EOFError } from "../../channel/errors.ts";
import { FrameType, readUint48 } from "../../channel/frame.ts";
import type { Item } from "../../channel/item.ts";
import { settle, test } from "../helpers/bounded.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";
import { Pair, Scripted, withPair } from "../helpers/sessions.ts";

async function working(one: Channel, other: Channel): Promise<void> {
  await one.send("there");
  assertEquals(await other.receive(), "there");
  await other.send("back");
  assertEquals(await one.receive(), "back");
}

test("Channel.send() passes a new channel either way, as the working other end", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    for (
      const [session, from, to] of [[pair.local, near, far], [pair.remote, far, near]] as const
    ) {
      const fresh = session.newChannel();
      await from.send(fresh);
      const there = await to.receive() as Channel;
      assert(there instanceof Channel);
      assertEquals(there.id, fresh.id);
      await working(fresh, there);
    }
    assertEquals([near.id, far.id], [1, 1]);
  });
});

test("Channel.send() passes channels deep in items, several at once, and each as one object", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const [a, b] = [pair.local.newChannel(), pair.local.newChannel()];
    await near.send({
      list: [a, { b }],
      again: a,
      map: new Map<Item, Item>([["a", a]]),
      set: new Set<Item>([b]),
    });
    const got = await far.receive() as unknown as {
      list: [Channel, { b: Channel }];
      again: Channel;
      map: Map<string, Channel>;
      set: Set<Channel>;
    };
    const [farA, { b: farB }] = got.list;
    assert(got.again === farA && got.map.get("a") === farA && got.set.has(farB));
    await working(a, farA);
    await working(b, farB);
  });
});

test("Channel.send() gives a channel that comes back as the identical object", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const fresh = pair.local.newChannel();
    await near.send(fresh);
    const there = await far.receive() as Channel;
    await far.send([there, far]);
    const [back, main] = await near.receive() as unknown as [Channel, Channel];
    assert(back === fresh);
    assert(main === near);
    await near.send(back);
    assert(await far.receive() === there);
  });
});

test("Channel.send() delivers what was sent on a channel before it was announced", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const fresh = pair.local.newChannel();
    for (let i = 0; i < 100; i++) await fresh.send(i);
    const large = fresh.send(new Uint8Array(3_000_000));
    large.catch(() => {});
    await fresh.closeWrite();
    await settle();
    await near.send(fresh);
    const there = await far.receive() as Channel;
    for (let i = 0; i < 100; i++) assertEquals(await there.receive(), i);
    assertEquals((await there.receive() as Uint8Array).length, 3_000_000);
    await large;
    await assertRejects(() => there.receive(), EOFError);
  });
});

test("Channel.send() announces channels through channels that are not known themselves", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const [a, b, c] = [pair.local.newChannel(), pair.local.newChannel(), pair.local.newChannel()];
    await c.send("deepest");
    await b.send(c);
    await a.send(b);
    await a.send(b);
    await settle();
    await near.send(a);
    const farA = await far.receive() as Channel;
    const farB = await farA.receive() as Channel;
    assert(await farA.receive() === farB);
    const farC = await farB.receive() as Channel;
    assertEquals(await farC.receive(), "deepest");
    await working(c, farC);
  });
});

test("Channel.send() delivers what was sent on a channel that was closed before it was announced", async () => {
  for (const ended of ["close", "error", "kill"] as const) {
    await withPair({}, async (pair) => {
      const { near, far } = await pair.open();
      const [outer, inner, innermost] = [
        pair.local.newChannel(),
        pair.local.newChannel(),
        pair.local.newChannel(),
      ];
      await outer.send(inner);
      await inner.send("before");
      await inner.send(innermost);
      await innermost.send("deepest");
      await innermost.close();
      if (ended === "kill") inner.kill();
      else await inner.close(ended === "error" ? new RangeError("given") : undefined);
      await near.send(outer);
      const there = await (await far.receive() as Channel).receive() as Channel;
      if (ended !== "kill") {
        assertEquals(await there.receive(), "before");
        const deepest = await there.receive() as Channel;
        assertEquals(await deepest.receive(), "deepest");
        await assertRejects(() => deepest.receive(), EOFError);
      }
      const error = await assertRejects(() => there.receive(), Error);
      const [name, words] =
        { close: ["EOFError", ""], error: ["RemoteError", "given"], kill: ["RemoteError", "kill"] }[ended];
      assertEquals(error.name, name);
      assertStringIncludes(error.message, words!);
      await outer.close();
      await settle();
      // Only the execution's own is left on either side.
      assertEquals([pair.local.channelCount, pair.remote.channelCount], [1, 1]);
    });
  }
});

test("Channel.send() sends a channel over itself", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    await near.send(near);
    assert(await far.receive() === far);
    const fresh = pair.local.newChannel();
    await fresh.send([fresh]);
    await near.send(fresh);
    const there = await far.receive() as Channel;
    assert((await there.receive() as unknown as [Channel])[0] === there);
    await working(fresh, there);
  });
});

test("Channel.send() passes two channels that were sent over each other", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const [a, b] = [pair.local.newChannel(), pair.local.newChannel()];
    await a.send(b);
    await b.send(a);
    await near.send(a);
    const farA = await far.receive() as Channel;
    const farB = await farA.receive() as Channel;
    assert(await farB.receive() === farA);
    await working(a, farA);
    await working(b, farB);
  });
});

test("Channel.send() refuses a closed channel, one of another gateway and one of another execution, with the path", async () => {
  const other = new Pair({ local: { name: "gw9" } });
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const closed = pair.local.newChannel();
    await closed.close();
    const foreign = other.local.newChannel();
    const second = await pair.open();
    for (
      const [item, path, message] of [
        [{ report: [closed] }, "$.report[0]", "closed"],
        [[1, { owner: foreign }], "$[1].owner", "another gateway"],
        [second.near, "$", "another execution"],
        [new Map([["k", second.near]]), '$.get("k")', "another execution"],
      ] as [Item, string, string][]
    ) {
      const error = await assertRejects(() => near.send(item), DumpError);
      assertEquals(error.path, path);
      assertStringIncludes(error.message, message);
    }
    await near.send("usable");
    assertEquals(await far.receive(), "usable");
  });
  await other.end();
});

test("Channel.send() passes channels between executions that share their far side", async () => {
  await withPair({ local: { sharedFarSide: true } }, async (pair) => {
    const first = await pair.open();
    const second = await pair.open();
    await first.near.send(second.near);
    assert(await first.far.receive() === second.far);
  });
});

test("Channel.send() of an item that is refused announces no channel in it", async () => {
  const script = new Scripted();
  const a = script.open();
  const b = script.open();
  const fresh = script.session.newChannel();
  await assertRejects(() => a.channel.send([fresh, () => {}] as unknown as Item), DumpError);
  await b.channel.send("other");
  await settle();
  assertEquals(script.frames.filter((frame) => frame.type === FrameType.OPEN), []);
  // It still belongs to nobody, so it may go to either.
  await a.channel.send(fresh);
  await settle();
  const opens = script.frames.filter((frame) => frame.type === FrameType.OPEN);
  assertEquals(opens.map((frame) => [frame.channel, readUint48(frame.payload, 0)]), [[
    fresh.id,
    a.channel.id,
  ]]);
  await script.end();
});

test("Channel.send() announces every channel though a getter in the item sends too", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const other = await pair.open();
    const [a, b, c] = [pair.local.newChannel(), pair.local.newChannel(), pair.local.newChannel()];
    await near.send({
      a,
      get inner(): number {
        other.near.send([c]);
        return 1;
      },
      b,
    });
    const got = await far.receive() as unknown as { a: Channel; b: Channel };
    await working(a, got.a);
    await working(b, got.b);
    const [farC] = await other.far.receive() as unknown as [Channel];
    await working(c, farC);
  });
});

test("Channel.send() refuses when a getter in the item has closed the channel", async () => {
  for (const how of ["close", "closeWrite"] as const) {
    await withPair({}, async (pair) => {
      const { near, far } = await pair.open();
      await assertRejects(() =>
        near.send({
          get inner(): number {
            near[how]();
            return 1;
          },
        }), ChannelClosedError);
      await settle();
      assert(pair.local.alive && pair.remote.alive);
      await assertRejects(() => far.receive(), EOFError);
    });
  }
});

test("Channel.send() of a channel whose other end has closed it meanwhile arrives as a closed channel", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const fresh = pair.local.newChannel();
    await near.send(fresh);
    const there = await far.receive() as Channel;
    pair.localTransport.stall();
    await there.close();
    await settle();
    await near.send({ fresh });
    const got = await far.receive() as unknown as { fresh: Channel };
    assert(got.fresh.isClosed());
    await assertRejects(() => got.fresh.send(1), ChannelClosedError);
    await assertRejects(() => got.fresh.receive(), EOFError);
    pair.localTransport.resume();
    await settle();
    assert(fresh.isClosed());
    assert(pair.local.alive && pair.remote.alive);
  });
});

test("Channel.send() of a channel over one that is closed there leaves nothing open", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    pair.localTransport.stall();
    await far.close();
    await settle();
    const fresh = pair.local.newChannel();
    await near.send(fresh);
    await fresh.send("lost");
    await settle();
    pair.localTransport.resume();
    await settle();
    assert(fresh.isClosed(), "a channel that nobody can reach stays open");
    assertEquals([pair.local.channelCount, pair.remote.channelCount], [0, 0]);
  });
});

test("Channel that was closed before it was received keeps what was sent on it", async () => {
  for (const how of ["close", "closeWrite"] as const) {
    await withPair({}, async (pair) => {
      const { near, far } = await pair.open();
      const fresh = pair.local.newChannel();
      await near.send(fresh);
      await fresh.send("kept");
      await fresh[how]();
      await settle();
      const there = await far.receive() as Channel;
      assertEquals(await there.receive(), "kept");
      await assertRejects(() => there.receive(), EOFError);
    });
  }
});

test("Channel.send() that gives up an item with a channel in it leaves that channel usable", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const controller = new AbortController();
    const sends = Array.from({ length: 80 }, () => near.send(new Uint8Array(15_000)).catch((error) => error));
    const fresh = pair.local.newChannel();
    const given = near.send([fresh], { signal: controller.signal }).catch((error) => error);
    await settle();
    controller.abort("enough");
    assertEquals(await given, "enough");
    for (let i = 0; i < 80; i++) await far.receive();
    await Promise.all(sends);
    await near.send(fresh);
    await working(fresh, await far.receive() as Channel);
    await fresh.close();
    await settle();
    assertEquals([pair.local.channelCount, pair.remote.channelCount], [1, 1]);
  });
});

test("Channel.gateway.newChannel() makes a channel of the same session", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    assertEquals(near.gateway.id, "gw0");
    const fresh = far.gateway.newChannel();
    assertEquals(fresh.id % 2, 0);
    await far.send(fresh);
    await working(fresh, await near.receive() as Channel);
  });
});

test("Channel.send() passes channels on random walks, and none is left", async () => {
  await forSeeds(seeds(15), async (random) => {
    await withPair({ random }, async (pair) => {
      const { near, far } = await pair.open();
      const pairs: [Channel, Channel][] = [[near, far]];
      for (let step = 0; step < 60; step++) {
        const [one, other] = random.pick(pairs);
        const [from, to] = random.chance(0.5) ? [one, other] : [other, one];
        const session = Channel.sessionOf(from) === pair.local ? pair.local : pair.remote;
        const fresh = session.newChannel();
        const early = random.below(4);
        for (let i = 0; i < early; i++) await fresh.send(i);
        await from.send({ fresh, also: fresh });
        const got = await to.receive() as unknown as { fresh: Channel; also: Channel };
        assert(got.fresh === got.also);
        for (let i = 0; i < early; i++) assertEquals(await got.fresh.receive(), i);
        await working(fresh, got.fresh);
        pairs.push(session === pair.local ? [fresh, got.fresh] : [got.fresh, fresh]);
      }
      assertEquals(pair.local.channelCount, 61);
      for (const ends of pairs) await random.pick(ends).close();
      await settle();
      assertEquals([pair.local.channelCount, pair.remote.channelCount], [0, 0]);
    });
  });
}, 60_000);
