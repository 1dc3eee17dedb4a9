/** Flow control: a reader that stalls holds up its own writer, within bounds, and nobody else. */

import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import type { Channel, Gateway } from "../../mod.ts";
import { limited, until } from "../helpers/wait.ts";
import { forEachKind, forEachKindShared } from "./kinds.ts";

const MIB = 1024 * 1024;

/** More than this must not fit between a sender and a reader that has never read. */
const MOST_BYTES = 4 * MIB;

/** More than this must not fit where the reader was eager until now: its window has grown. */
const MOST_GROWN_BYTES = 14 * MIB;

/** Sends on and on over a channel that it gets; tells over its own how much was accepted when asked. */
const FLOOD = `
  const [stream, size] = await channel.receive();
  let sent = 0;
  const flood = (async () => {
    const piece = new Uint8Array(size);
    while (true) { await stream.send(piece); sent += size }
  })().catch((error) => error.name);
  for await (const question of channel) await channel.send(sent);
  await channel.send(await flood);
`;

interface Flood {
  control: Channel;
  stream: Channel;
  /** How many bytes were accepted. */
  sent(): Promise<number>;
  /** Closes the stream, which ends its sender. */
  end(): Promise<void>;
}

async function startFlood(gateway: Gateway, size: number): Promise<Flood> {
  const control = gateway.remoteExec(FLOOD);
  const stream = gateway.newChannel();
  await control.send([stream, size]);
  return {
    control,
    stream,
    async sent(): Promise<number> {
      await control.send("how much?");
      return await control.receive() as unknown as number;
    },
    async end(): Promise<void> {
      await stream.close();
      await control.closeWrite();
      assertEquals(await control.receive(), "ChannelClosedError");
      await control.waitClose();
    },
  };
}

/** Resolves with the amount when it no longer grows. */
async function stalled(flood: Flood): Promise<number> {
  let before = -1;
  let same = 0;
  return await until("the sender stalls", async () => {
    const now = await flood.sent();
    same = now === before && now > 0 ? same + 1 : 0;
    before = now;
    return same >= 10 ? now : 0;
  }, 10_000);
}

for (const size of [64, 5_000, 100_000, MIB]) {
  forEachKindShared(
    `a stream of ${size} bytes each that nobody reads stalls its remote sender`,
    async ({ open }) => {
      const flood = await startFlood(await open(), size);
      const sent = await stalled(flood);
      assert(sent <= MOST_BYTES, `${sent} bytes were accepted`);
      for (let got = 0; got < 2 * sent;) got += (await flood.stream.receive() as Uint8Array).length;
      const more = await stalled(flood);
      assert(more >= 2 * sent && more <= 2 * sent + MOST_GROWN_BYTES, `${more} bytes were accepted`);
      await flood.end();
    },
  );
}

forEachKind("a stream that remote code does not read stalls the sender here", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    await channel.send("ready");
    const stream = await channel.receive();
    await channel.receive();
    let total = 0;
    for await (const piece of stream) total += piece.length;
    await channel.send(total);
  `);
  const stream = gateway.newChannel();
  await channel.receive();
  await channel.send(stream);
  const piece = new Uint8Array(50_000);
  let sent = 0;
  let end = false;
  const flood = (async () => {
    while (!end) {
      await stream.send(piece);
      sent += piece.length;
    }
    await stream.closeWrite();
  })();
  let before = -1;
  let same = 0;
  await until("the sender stalls", async () => {
    await gateway.remoteStatus();
    same = sent === before && sent > 0 ? same + 1 : 0;
    before = sent;
    return same >= 10;
  });
  assert(sent <= MOST_BYTES, `${sent} bytes were accepted`);
  end = true;
  await channel.send("read");
  await flood;
  assertEquals(await channel.receive(), sent);
});

forEachKindShared("a stalled channel delays no other one", async ({ open }) => {
  const gateway = await open();
  const flood = await startFlood(gateway, 100_000);
  await stalled(flood);
  const echo = gateway.remoteExec(`for await (const item of channel) await channel.send(item)`);
  for (let i = 0; i < 50; i++) {
    await echo.send(i);
    assertEquals(await limited("an answer", echo.receive()), i);
  }
  const bulk = gateway.remoteExec(
    `for (let i = 0; i < 100; i++) await channel.send(new Uint8Array(100_000))`,
  );
  assertEquals((await limited("another stream", Array.fromAsync(bulk))).length, 100);
  await flood.end();
});

forEachKindShared(
  "a callback that stalls delays no other channel and bounds its sender",
  async ({ open }) => {
    const gateway = await open();
    const flood = await startFlood(gateway, 10_000);
    const gate = Promise.withResolvers<void>();
    flood.stream.setCallback(() => gate.promise);
    const sent = await stalled(flood);
    assert(sent <= MOST_BYTES, `${sent} bytes were accepted`);
    const echo = gateway.remoteExec(`for await (const item of channel) await channel.send(item)`);
    await echo.send(1);
    assertEquals(await echo.receive(), 1);
    gate.resolve();
    await until("the stream goes on", async () => await flood.sent() > 2 * sent);
    await flood.end();
  },
);

forEachKindShared("one huge item does not delay small ones on other channels", async ({ open }) => {
  const gateway = await open();
  const echo = gateway.remoteExec(`for await (const item of channel) await channel.send(item)`);
  await echo.send("warm");
  await echo.receive();
  const huge = gateway.remoteExec(`
    await channel.send("ready");
    await channel.send((await channel.receive()).length);
  `);
  await huge.receive();
  let arrived = false;
  const done = huge.receive().then((length) => {
    arrived = true;
    return length;
  });
  const sent = huge.send(new Uint8Array(60 * MIB));
  let answers = 0;
  while (!arrived) {
    await echo.send(answers);
    assertEquals(await echo.receive(), answers++);
  }
  await sent;
  assertEquals(await done, 60 * MIB);
  assert(answers >= 5, `only ${answers} answers while the item was on its way`);
});

forEachKindShared("many unread streams at once are each bounded and all arrive", async ({ open }) => {
  const gateway = await open();
  const channel = gateway.remoteExec(`
    const streams = await channel.receive();
    await Promise.all(streams.map(async (stream, i) => {
      for (let j = 0; j < 40; j++) await stream.send(new Uint8Array(50_000).fill(i));
      await stream.close();
    }));
  `);
  const streams = Array.from({ length: 10 }, () => gateway.newChannel());
  await channel.send(streams);
  for (const [i, stream] of [...streams.entries()].toReversed()) {
    const items = await Array.fromAsync(stream) as unknown as Uint8Array[];
    assertEquals(items.length, 40);
    assert(items.every((item) => item.length === 50_000 && item[49_999] === i));
  }
  await channel.waitClose();
});

forEachKindShared("a sender that waits for a reader ends when the reader closes", async ({ open }) => {
  const gateway = await open();
  const flood = await startFlood(gateway, 100_000);
  await stalled(flood);
  await flood.stream.close();
  const before = await flood.sent();
  assertEquals(await flood.sent(), before);
  await flood.end();
});

forEachKindShared("send() that waits for credit rejects when the remote execution ends", async ({ open }) => {
  const channel = (await open()).remoteExec(`await channel.receive()`);
  const sends = [1, 2, 3, 4].map(() => channel.send(new Uint8Array(2 * MIB)));
  const results = await limited("all sends", Promise.allSettled(sends));
  assertEquals(results.at(-1)!.status, "rejected");
  await channel.waitClose();
  await assertRejects(() => channel.send(1));
});
