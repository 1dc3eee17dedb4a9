import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import type { Channel } from "../../channel/channel.ts";
import { dumps } from "../../channel/codec.ts";
import type { Item } from "../../channel/item.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, Random, seeds } from "../helpers/seeded.ts";
import { type Pair, withPair } from "../helpers/sessions.ts";

/** Items of every size class; `n` is in each, so that order and completeness show. */
function makeItem(random: Random, n: number): Item {
  switch (random.below(12)) {
    case 0:
      return { n, text: "é".repeat(random.below(3_000)) };
    case 1: {
      const bytes = random.bytes(4 + random.below(random.chance(0.1) ? 600_000 : 40_000));
      new DataView(bytes.buffer).setUint32(0, n);
      return bytes;
    }
    case 2:
      return { n, list: Array.from({ length: random.below(9_000) }, (_, i) => i) };
    case 3:
      return new Map<Item, Item>([["n", n], [1, { deep: [n] }]]);
    default:
      return n;
  }
}

/** Sends the items of a seed one after the other, not always waiting. */
async function sendAll(channel: Channel, random: Random, how: Random, count: number): Promise<void> {
  const pending: Promise<void>[] = [];
  for (let n = 0; n < count; n++) {
    const sent = channel.send(makeItem(random, n));
    sent.catch(() => {});
    if (how.chance(0.6)) await sent;
    else pending.push(sent);
  }
  await Promise.all(pending);
  await channel.closeWrite();
}

/** Receives them by any of the three ways and compares. */
async function receiveAll(channel: Channel, random: Random, how: Random, count: number): Promise<void> {
  let n = 0;
  const check = (item: Item): void => {
    const want = makeItem(random, n);
    // Equal encodings are equal items, and far faster to compare.
    assertEquals(
      dumps(item).toHex() === dumps(want).toHex(),
      true,
      `item ${n} of channel ${channel.id} differs`,
    );
    n++;
  };
  const way = how.below(3);
  if (way === 0) {
    for await (const item of channel) check(item);
  } else if (way === 1) {
    channel.setCallback(async (item: Item) => {
      check(item);
      if (how.chance(0.2)) await Promise.resolve();
    });
    await channel.waitClose();
  } else {
    const reader = channel.readable.getReader();
    for (let got = await reader.read(); !got.done; got = await reader.read()) check(got.value);
  }
  assertEquals(n, count, `channel ${channel.id}`);
}

for (const messages of [false, true]) {
  test(
    `Channel.send() delivers in order and exactly once, several channels both ways (${
      messages ? "messages" : "reads"
    })`,
    async () => {
      await forSeeds(seeds(4), async (random, seed) => {
        await withPair({
          random: messages ? new Random(seed) : random,
          messages,
          capacity: random.pick([1, 5_000, 300_000]),
          writeBudget: random.pick([16_384, 262_144, Infinity]),
          local: { fragmentBytes: random.pick([1_000, 16_384, 262_144]) },
        }, async (pair: Pair) => {
          const jobs: Promise<void>[] = [];
          for (let c = 0; c < 5; c++) {
            const { near, far } = await pair.open();
            const count = random.between(100, 300);
            for (const [from, to, salt] of [[near, far, 1], [far, near, 2]] as const) {
              const itemSeed = seed * 1000 + c * 10 + salt;
              jobs.push(sendAll(from, new Random(itemSeed), new Random(itemSeed + 7), count));
              jobs.push(receiveAll(to, new Random(itemSeed), new Random(itemSeed + 5), count));
            }
          }
          await Promise.all(jobs);
          assertEquals([pair.local.channelCount, pair.remote.channelCount], [0, 0]);
          assert(pair.local.alive && pair.remote.alive);
        });
      });
    },
    60_000,
  );
}

test("Channel.send() delivers thousands of small items in order through single bytes", async () => {
  await withPair({}, async (pair) => {
    pair.remoteTransport.split([1]);
    const { near, far } = await pair.open();
    const sending = (async () => {
      for (let i = 0; i < 3_000; i++) await near.send(i);
      await near.closeWrite();
    })();
    let next = 0;
    for await (const item of far) assertEquals(item, next++);
    assertEquals(next, 3_000);
    await sending;
  });
});

test("Channel.send() delivers in order on a link that delays and stalls", async () => {
  await withPair({}, async (pair) => {
    pair.remoteTransport.delay(7);
    pair.localTransport.delay(3);
    const { near, far } = await pair.open();
    pair.remoteTransport.stall();
    for (let i = 0; i < 100; i++) await near.send(i);
    const first = far.receive();
    pair.remoteTransport.resume();
    assertEquals(await first, 0);
    for (let i = 1; i < 100; i++) assertEquals(await far.receive(), i);
  });
});

test("Channel.send() takes the item as it is at that moment", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const large = new Uint8Array(100_000).fill(1);
    const list = [1, 2, 3];
    const sent = [near.send(large), near.send(list)];
    large.fill(9);
    list.push(4);
    const got = await far.receive() as Uint8Array;
    assert(got.every((byte) => byte === 1));
    assertEquals(await far.receive(), [1, 2, 3]);
    await Promise.all(sent);
  });
});

test("Channel.receive() gives binary items that share no memory with each other", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    for (const size of [0, 1, 10, 16_000, 16_384, 16_385, 300_000]) {
      await near.send(new Uint8Array(size).fill(size & 0xff));
      await near.send(new Uint8Array(size).fill(7));
      const first = await far.receive() as Uint8Array;
      const second = await far.receive() as Uint8Array;
      first.fill(1);
      assert(second.length === size && second.every((byte) => byte === 7));
      assert(first.buffer !== second.buffer || size === 0);
    }
  });
});
