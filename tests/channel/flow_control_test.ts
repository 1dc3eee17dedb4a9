import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { Channel } from "../../channel/channel.ts";
import { ChannelClosedError } from "../../channel/errors.ts";
import { MAX_PAYLOAD_BYTES } from "../../channel/frame.ts";
import { FRAME_COST_BYTES, MAX_WINDOW_BYTES, WINDOW_BYTES } from "../../channel/window.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import type { Watched } from "../helpers/bounded.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";
import { withPair } from "../helpers/sessions.ts";

/** Unread bytes of a channel that nobody reads, and of one whose window has grown for its reader. */
const MOST_HELD = WINDOW_BYTES + MAX_PAYLOAD_BYTES + FRAME_COST_BYTES;
const MOST_EVER = MAX_WINDOW_BYTES + MAX_PAYLOAD_BYTES + FRAME_COST_BYTES;

/** Sends until a send stays pending; returns what was accepted, and the one that waits. */
async function fillUp(
  channel: Channel,
  makeItem: (n: number) => Uint8Array | number | string,
  signal?: AbortSignal,
): Promise<{ accepted: number; waiting: Watched<void> }> {
  for (let accepted = 0; accepted < 100_000; accepted++) {
    const sent = watch(channel.send(makeItem(accepted), signal === undefined ? undefined : { signal }));
    await Promise.resolve();
    if (sent.state === "pending") await settle();
    if (sent.state === "pending") return { accepted, waiting: sent };
    assertEquals(sent.state, "resolved");
  }
  throw new Error("The sender was never stopped");
}

test("Channel.send() waits when nobody receives, after about a window, and goes on as items are consumed", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const { accepted, waiting } = await fillUp(near, (n) => new Uint8Array(10_000).fill(n & 0xff));
    const bytes = accepted * 10_000;
    assert(bytes > WINDOW_BYTES * 0.9 && bytes <= WINDOW_BYTES + 20_000, `${bytes} bytes were accepted`);
    assert(Channel.endOf(far).unreadBytes <= MOST_HELD);
    let received = 0;
    while (waiting.state === "pending") {
      await far.receive();
      received++;
      await settle();
      assert(received <= accepted, "everything was read and the sender still waits");
    }
    assertEquals(waiting.state, "resolved");
    for (; received < accepted; received++) await far.receive();
    assertEquals((await far.receive() as Uint8Array)[0], accepted & 0xff);
  });
});

test("Channel holds a bounded number of bytes for tiny items, however they are sent", async () => {
  await withPair({ writeBudget: 1 }, async (pair) => {
    const { near, far } = await pair.open();
    // A turn of the loop after each, so that no two are packed into one frame.
    let sent = watch(near.send(0));
    let count = 0;
    while (sent.state !== "pending") {
      count++;
      sent = watch(near.send(0));
      await settle();
    }
    assert(count <= WINDOW_BYTES / FRAME_COST_BYTES, `${count} frames were accepted`);
    assert(Channel.endOf(far).unreadBytes <= MOST_HELD);
    for (let i = 0; i < count; i++) await far.receive();
    await settle();
    assertEquals(sent.state, "resolved");
  });
});

test("Channel holds a window and one item at the most, for large items", async () => {
  const size = 700_000;
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const sends = Array.from({ length: 8 }, (_, i) => watch(near.send(new Uint8Array(size).fill(i))));
    await settle();
    const accepted = sends.filter((one) => one.state === "resolved").length;
    // One item is paid for on arrival; behind it fits a window.
    assert(accepted >= 1 && accepted <= 1 + Math.ceil(WINDOW_BYTES / size) + 1, `${accepted} items accepted`);
    assert(Channel.endOf(far).unreadBytes <= MOST_HELD);
    for (let i = 0; i < 8; i++) {
      const item = await far.receive() as Uint8Array;
      assertEquals([item.length, item[0], item[size - 1]], [size, i, i]);
      assert(Channel.endOf(far).unreadBytes <= MOST_EVER);
    }
    await settle();
    assert(sends.every((one) => one.state === "resolved"));
  });
});

test("Channel.send() passes items far larger than the window", async () => {
  await forSeeds(seeds(3), async (random) => {
    await withPair({ random, local: { fragmentBytes: random.pick([5_000, 262_144]) } }, async (pair) => {
      const { near, far } = await pair.open();
      for (const size of [WINDOW_BYTES, WINDOW_BYTES * 5 + 1]) {
        const bytes = new Uint8Array(size);
        for (let i = 0; i < size; i += 997) bytes[i] = i;
        const raw = near.send(bytes);
        const text = near.send("x".repeat(size));
        const got = await far.receive() as Uint8Array;
        assert(got.length === size && got.every((byte, i) => byte === bytes[i]));
        assertEquals((await far.receive() as string).length, size);
        await Promise.all([raw, text]);
      }
    });
  });
}, 60_000);

test("Channel.send() passes a large item to someone who waits for it with others in front", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const sent = [near.send(1), near.send(new Uint8Array(3 * WINDOW_BYTES)), near.send(2)];
    await settle();
    assertEquals(await far.receive(), 1);
    assertEquals((await far.receive() as Uint8Array).length, 3 * WINDOW_BYTES);
    assertEquals(await far.receive(), 2);
    await Promise.all(sent);
  });
});

test("Channel: one that nobody reads delays no other", async () => {
  await withPair({}, async (pair) => {
    const stalled = await pair.open();
    const alive = await pair.open();
    const { waiting } = await fillUp(stalled.near, () => new Uint8Array(16_000));
    const back = await fillUp(stalled.far, () => new Uint8Array(16_000));
    for (let i = 0; i < 500; i++) {
      await alive.near.send(i);
      assertEquals(await alive.far.receive(), i);
      await alive.far.send(i);
      assertEquals(await alive.near.receive(), i);
    }
    const big = alive.near.send(new Uint8Array(3 * WINDOW_BYTES));
    assertEquals((await alive.far.receive() as Uint8Array).length, 3 * WINDOW_BYTES);
    await big;
    assertEquals([waiting.state, back.waiting.state], ["pending", "pending"]);
  });
});

test("Channel: a callback that never ends delays no other channel and bounds its own", async () => {
  await withPair({}, async (pair) => {
    const stalled = await pair.open();
    const alive = await pair.open();
    stalled.far.setCallback(() => new Promise(() => {}));
    const { accepted } = await fillUp(stalled.near, () => new Uint8Array(16_000));
    assert(accepted * 16_000 <= WINDOW_BYTES + 40_000);
    await alive.near.send("x");
    assertEquals(await alive.far.receive(), "x");
  });
});

test("Channel: one huge item does not delay small ones on another channel", async () => {
  await withPair({ capacity: 64 * 1024, writeBudget: 64 * 1024 }, async (pair) => {
    const bulk = await pair.open();
    const small = await pair.open();
    const huge = watch(bulk.near.send(new Uint8Array(64 * WINDOW_BYTES)));
    const whole = watch(bulk.far.receive());
    for (let i = 0; i < 20; i++) {
      await small.near.send(i);
      assertEquals(await small.far.receive(), i);
    }
    assertEquals(huge.state, "pending");
    while (whole.state === "pending") await settle();
    assertEquals((whole.value as Uint8Array).length, 64 * WINDOW_BYTES);
  });
}, 60_000);

test("Channel.send() with a signal gives a waiting item up: nothing of it is sent", async () => {
  for (const size of [100, 16_000, 50_000, 3 * WINDOW_BYTES]) {
    await withPair({}, async (pair) => {
      const { near, far } = await pair.open();
      // Exactly at the end of the credit, so that not even a first part leaves.
      const { accepted } = await fillUp(near, () => new Uint8Array(16_000));
      const controller = new AbortController();
      const given = watch(near.send(new Uint8Array(size).fill(9), { signal: controller.signal }));
      const behind = watch(near.send("behind"));
      await settle();
      assertEquals([given.state, behind.state], ["pending", "pending"]);
      const reason = new Error("enough");
      controller.abort(reason);
      await settle();
      assertEquals(given.state, "rejected");
      assert(given.reason === reason);
      assertEquals(behind.state, "pending");
      for (let i = 0; i < accepted + 1; i++) assertEquals((await far.receive() as Uint8Array).length, 16_000);
      assertEquals(await far.receive(), "behind");
      await settle();
      assertEquals(behind.state, "resolved");
      await near.send("after");
      assertEquals(await far.receive(), "after");
    });
  }
});

test("Channel.send() with a signal lets a half-sent item arrive whole", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const controller = new AbortController();
    await near.send("in front");
    const large = new Uint8Array(5 * WINDOW_BYTES).fill(3);
    const given = watch(near.send(large, { signal: controller.signal }));
    const behind = near.send("behind");
    await settle();
    assertEquals(given.state, "pending");
    controller.abort("enough");
    await settle();
    assertEquals([given.state, given.reason], ["rejected", "enough"]);
    assertEquals(await far.receive(), "in front");
    const got = await far.receive() as Uint8Array;
    assert(got.length === large.length && got.every((byte) => byte === 3));
    assertEquals(await far.receive(), "behind");
    await behind;
  });
});

test("Channel.send() with an aborted signal sends nothing", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const reason = new Error("before");
    assert(await near.send(1, { signal: AbortSignal.abort(reason) }).catch((error) => error) === reason);
    await near.send(2);
    assertEquals(await far.receive(), 2);
  });
});

test("Channel.send() rejects with the signal's reason only for what does not arrive", async () => {
  await withPair({ capacity: 1 }, async (pair) => {
    const { near, far } = await pair.open();
    pair.remoteTransport.stall();
    const controller = new AbortController();
    const sends: Watched<void>[] = [];
    for (let i = 0; i < 40; i++) {
      const head = new Uint8Array(16_000);
      head[0] = i;
      sends.push(watch(near.send(head, { signal: controller.signal })));
    }
    await settle();
    assert(sends.some((one) => one.state === "pending"));
    controller.abort("enough");
    await settle();
    pair.remoteTransport.resume();
    await near.closeWrite();
    const got: number[] = [];
    for await (const item of far) got.push((item as Uint8Array)[0]!);
    const sent = sends.flatMap((one, i) => one.state === "resolved" ? [i] : []);
    assertEquals(
      got,
      sent,
      "what was rejected has arrived all the same: a caller that tries again sends it twice",
    );
  });
});

for (const how of ["close", "closeWrite"] as const) {
  test(`Channel.${how}() leaves at once when the send that waited in front of it is given up`, async () => {
    await withPair({}, async (pair) => {
      const { near, far } = await pair.open();
      const controller = new AbortController();
      await fillUp(near, () => new Uint8Array(16_000), controller.signal);
      await near[how]();
      controller.abort("enough");
      await settle();
      // Nobody has received: no credit will come, and none is needed.
      if (how === "close") assertEquals(far.isClosed(), true);
      else assert(Channel.endOf(far).receiveEnded);
    });
  });
}

test("Channel.send() that waits for credit is still delivered when close() follows", async () => {
  for (const how of ["close", "closeWrite", "close with an error"] as const) {
    await withPair({}, async (pair) => {
      const { near, far } = await pair.open();
      const { accepted } = await fillUp(near, (n) => new Uint8Array(16_000).fill(n & 0xff));
      const more = [near.send("small"), near.send(new Uint8Array(2 * WINDOW_BYTES)), near.send("last")];
      if (how === "closeWrite") await near.closeWrite();
      else await near.close(how === "close" ? undefined : new Error("bye"));
      await assertRejects(() => near.send(1), ChannelClosedError);
      for (let i = 0; i <= accepted; i++) assertEquals((await far.receive() as Uint8Array)[0], i & 0xff);
      assertEquals(await far.receive(), "small");
      assertEquals((await far.receive() as Uint8Array).length, 2 * WINDOW_BYTES);
      assertEquals(await far.receive(), "last");
      await Promise.all(more);
      const end = await far.receive().catch((error) => error);
      assertEquals(end.name, how === "close with an error" ? "RemoteError" : "EOFError");
    });
  }
});

test("Channel.close() of the reader rejects the sends that wait for it", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const { waiting } = await fillUp(near, () => new Uint8Array(16_000));
    const large = watch(near.send(new Uint8Array(3 * WINDOW_BYTES)));
    await far.close();
    await settle();
    for (const one of [waiting, large]) {
      assertEquals(one.state, "rejected");
      assert(one.reason instanceof ChannelClosedError);
    }
    assertEquals([pair.local.channelCount, pair.remote.channelCount], [0, 0]);
  });
});

test("Session tells its handler that someone waits, for credit too", async () => {
  const busy: boolean[] = [];
  await withPair({ local: { handlers: { busy: (on) => busy.push(on) } } }, async (pair) => {
    const { near, far } = await pair.open();
    const receiving = near.receive();
    assertEquals(busy, [true]);
    await far.send(1);
    await receiving;
    assertEquals(busy, [true, false]);
    const { accepted, waiting } = await fillUp(near, () => new Uint8Array(16_000));
    assertEquals(waiting.state, "pending");
    assertEquals(busy.at(-1), true, "nobody knows of a send that waits: the program may end before it");
    for (let i = 0; i <= accepted; i++) await far.receive();
    await settle();
    assertEquals(busy.at(-1), false);
  });
});

test("Channel keeps its window through many rounds of random reading", async () => {
  await forSeeds(seeds(6), async (random) => {
    await withPair({ random }, async (pair) => {
      const { near, far } = await pair.open();
      let next = 0;
      let read = 0;
      let waiting: Watched<void>[] = [];
      for (let round = 0; round < 60; round++) {
        for (let i = random.below(40); i > 0; i--) {
          const item = new Uint8Array(4 + random.below(random.chance(0.1) ? 400_000 : 30_000));
          new DataView(item.buffer).setUint32(0, next++);
          waiting.push(watch(near.send(item)));
        }
        await settle();
        assert(Channel.endOf(far).unreadBytes <= MOST_EVER);
        for (let i = random.below(40); i > 0 && read < next; i--) {
          const item = await far.receive() as Uint8Array;
          assertEquals(new DataView(item.buffer, item.byteOffset).getUint32(0), read++);
        }
      }
      while (read < next) {
        const item = await far.receive() as Uint8Array;
        assertEquals(new DataView(item.buffer, item.byteOffset).getUint32(0), read++);
      }
      await settle();
      waiting = waiting.filter((one) => one.state !== "resolved");
      assertEquals(waiting, []);
    });
  });
}, 60_000);
