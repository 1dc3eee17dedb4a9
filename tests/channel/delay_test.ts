/** Bulk over a link with delay. What counts are round trips, of which a busy machine does not make more. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { Channel } from "../../channel/channel.ts";
import { MAX_PAYLOAD_BYTES } from "../../channel/frame.ts";
import { FRAME_COST_BYTES, MAX_WINDOW_BYTES, WINDOW_BYTES } from "../../channel/window.ts";
import { test } from "../helpers/bounded.ts";
import { LongLink } from "../helpers/long_link.ts";
import { withPair } from "../helpers/sessions.ts";

const MIB = 1024 * 1024;
const OVERDRAFT_BYTES = MAX_PAYLOAD_BYTES + FRAME_COST_BYTES;

/** More than any transfer here takes. */
const MANY_WAYS = 200;

/** How a program takes `count` items. */
type Reading = (channel: Channel, count: number) => Promise<void>;

const READINGS: Readonly<Record<string, Reading>> = {
  "receive()": async (channel, count) => {
    for (let i = 0; i < count; i++) await channel.receive();
  },
  "receive() and some work for each item": async (channel, count) => {
    for (let i = 0; i < count; i++) {
      await channel.receive();
      for (let turn = 0; turn < 4; turn++) await undefined;
    }
  },
  "a callback": (channel, count) =>
    new Promise((resolve) => {
      let got = 0;
      channel.setCallback(() => {
        if (++got === count) resolve();
      });
    }),
};

/** Sends until it cannot. */
async function flood(channel: Channel, item: Uint8Array, count: number): Promise<void> {
  try {
    for (let i = 0; i < count; i++) await channel.send(item);
  } catch {
    // The test is over.
  }
}

/** Round trips from the first item sent to the last one received. `capacity` is what the link takes on each way. */
async function tripsOf(total: number, size: number, reading: Reading, capacity: number): Promise<number> {
  let trips = 0;
  await withPair({ capacity }, async (pair) => {
    const { near, far } = await pair.open();
    const link = new LongLink(pair);
    const count = Math.ceil(total / size);
    let done = false;
    const read = reading(near, count).then(() => done = true);
    const sent = flood(far, new Uint8Array(size), count);
    await link.quiet();
    while (!done && link.ways < MANY_WAYS) {
      await link.pass();
      assert(Channel.endOf(near).unreadBytes <= MAX_WINDOW_BYTES + OVERDRAFT_BYTES);
    }
    trips = link.trips;
    link.end();
    await Promise.all([read, sent]);
  });
  return trips;
}

const CASES: readonly [size: number, reading: string][] = [
  [100, "receive() and some work for each item"],
  [10_000, "a callback"],
  ...Object.keys(READINGS).map((reading): [number, string] => [50_000, reading]),
  [MIB, "receive()"],
];

for (const [size, reading] of CASES) {
  test(`Channel's window doubles with each round trip, for items of ${size} bytes read by ${reading}`, async () => {
    // 1, 2, 4, 8 and 8 MiB.
    const trips = await tripsOf(23 * MIB, size, READINGS[reading]!, Infinity);
    assert(trips <= 6, `${trips} round trips`);
  });
}

test("Channel carries as much as a link with a window of its own, but for one round trip", async () => {
  const wayBytes = MIB;
  const total = 24 * MIB;
  for (const size of [100, MIB]) {
    const trips = await tripsOf(total, size, READINGS["receive()"]!, wayBytes);
    // Frames and the way items are encoded take their share: a thirtieth for the small ones.
    const plain = total / wayBytes / 2 * (size === 100 ? 1.06 : 1);
    assert(trips <= plain + 1, `${trips} round trips for items of ${size} bytes instead of ${plain}`);
  }
});

test("Channel's window does not grow for one who reads, but never all that is there", async () => {
  await withPair({ capacity: Infinity }, async (pair) => {
    const { near, far } = await pair.open();
    const link = new LongLink(pair);
    const size = 50_000;
    const item = new Uint8Array(size);
    const sent = flood(far, item, Infinity);
    await link.quiet();
    await link.pass();
    for (let read = 0; read < 4 * WINDOW_BYTES; read += size) {
      assertEquals((await near.receive() as Uint8Array).length, size);
      await link.pass();
      const { unreadBytes, hasItem } = Channel.endOf(near);
      assert(hasItem, "everything was read");
      assert(unreadBytes <= WINDOW_BYTES + OVERDRAFT_BYTES, `${unreadBytes} bytes unread`);
    }
    await pair.end();
    await sent;
  });
});

test("Channel's window, once it has grown, still bounds what is unread when reading stops", async () => {
  await withPair({ capacity: Infinity }, async (pair) => {
    const { near, far } = await pair.open();
    const link = new LongLink(pair);
    const size = 50_000;
    const sent = flood(far, new Uint8Array(size), Infinity);
    const read = READINGS["receive()"]!(near, Math.ceil(30 * MIB / size));
    let done = false;
    read.then(() => done = true);
    while (!done && link.ways < MANY_WAYS) await link.pass();
    await read;
    // All that the sender may send is there after a way, the credit's, and a further one.
    for (let way = 0; way < 2; way++) await link.pass();
    const held = Channel.endOf(near).unreadBytes;
    assert(held > WINDOW_BYTES && held <= MAX_WINDOW_BYTES + OVERDRAFT_BYTES, `${held} bytes unread`);
    for (let way = 0; way < 4; way++) await link.pass();
    assertEquals(Channel.endOf(near).unreadBytes, held);
    await pair.end();
    await sent;
  });
});
