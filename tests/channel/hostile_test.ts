import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { Channel } from "../../channel/channel.ts";
import { dumps } from "../../channel/codec.ts";
import { ChannelClosedError, EOFError, LoadError, ProtocolError } from "../../channel/errors.ts";
import { DataFlag, FrameType, HEADER_BYTES, makeFrame, MAX_PAYLOAD_BYTES } from "../../channel/frame.ts";
import { fragmentItem } from "../../channel/outbox.ts";
import { FRAME_COST_BYTES, WINDOW_BYTES } from "../../channel/window.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";
import { concat, creditFrame, dataFrame, Scripted, uint48 } from "../helpers/sessions.ts";

const { FRAGMENT, FIRST, RAW } = DataFlag;
const ONE = new Uint8Array([1]);
/** A channel that nobody has opened, in an array. */
const GONE = new Uint8Array([0x91, 0xd4, 9, 8]);

/** Frames that a local session with one channel, id 1, must refuse. */
const REFUSED: readonly [string, () => Uint8Array[]][] = [
  ["DATA for an own id that was never opened", () => [dataFrame(3, ONE)]],
  ["CLOSE for an own id that was never opened", () => [makeFrame(FrameType.CLOSE, 99)]],
  ["CREDIT for an own id that was never opened", () => [creditFrame(99, 1)]],
  ["more credit than a window can hold", () => [creditFrame(1, 8 * WINDOW_BYTES)]],
  ["the largest credit", () => [creditFrame(1, 0xffffffff)]],
  ["a CREDIT of another length", () => [makeFrame(FrameType.CREDIT, 1, ONE)]],
  [
    "more frames than the window holds",
    () => Array.from({ length: 10 }, () => dataFrame(1, new Uint8Array(MAX_PAYLOAD_BYTES).fill(0xc0))),
  ],
  [
    "more tiny frames than the window holds",
    () => [concat(...Array.from({ length: 20_000 }, () => dataFrame(1, ONE)))],
  ],
  [
    "a second long item behind an unread one, beyond the window",
    () => [
      dataFrame(1, ONE),
      fragmentItem(1, new Uint8Array(3 * WINDOW_BYTES), true, MAX_PAYLOAD_BYTES),
    ],
  ],
  ["a part without a first part", () => [dataFrame(1, ONE, FRAGMENT)]],
  ["two first parts", () => [
    dataFrame(1, uint48(10), FRAGMENT | FIRST),
    dataFrame(1, uint48(10), FRAGMENT | FIRST),
  ]],
  ["a whole item amid a long one", () => [dataFrame(1, uint48(10), FRAGMENT | FIRST), dataFrame(1, ONE)]],
  ["an item that is longer than it said", () => [
    dataFrame(1, uint48(10), FRAGMENT | FIRST),
    dataFrame(1, new Uint8Array(11), FRAGMENT),
  ]],
  ["an item that is longer than it said, in large parts", () => [
    dataFrame(1, uint48(10_000), FRAGMENT | FIRST | RAW),
    dataFrame(1, new Uint8Array(9_000), FRAGMENT | RAW),
    dataFrame(1, new Uint8Array(9_000), FRAGMENT | RAW),
  ]],
  ["an item of length 0", () => [dataFrame(1, uint48(0), FRAGMENT | FIRST)]],
  ["an item beyond the longest", () => [dataFrame(1, uint48(2 ** 31), FRAGMENT | FIRST)]],
  ["an item of the largest length", () => [dataFrame(1, uint48(2 ** 48 - 1), FRAGMENT | FIRST)]],
  ["a first part of another length", () => [dataFrame(1, new Uint8Array(5), FRAGMENT | FIRST)]],
  ["an empty part", () => [
    dataFrame(1, uint48(10), FRAGMENT | FIRST),
    dataFrame(1, new Uint8Array(0), FRAGMENT),
  ]],
  ["a frame without an item", () => [dataFrame(1, new Uint8Array(0))]],
  ["EXEC", () => [makeFrame(FrameType.EXEC, 2, dumps(null))]],
  ["KILL", () => [makeFrame(FrameType.KILL, 1, dumps({ name: "E", message: "" }))]],
  ["REQUEST", () => [makeFrame(FrameType.REQUEST, 0, dumps([1, "status"]))]],
  ["TERMINATE", () => [makeFrame(FrameType.TERMINATE, 0)]],
  ["DONE", () => [makeFrame(FrameType.DONE, 1)]],
  ["OPEN with an own id", () => [makeFrame(FrameType.OPEN, 5, uint48(1))]],
  ["OPEN with the id of an open channel", () => [
    makeFrame(FrameType.OPEN, 2, uint48(1)),
    makeFrame(FrameType.OPEN, 2, uint48(1)),
  ]],
  ["OPEN over a carrier that never was", () => [makeFrame(FrameType.OPEN, 2, uint48(99))]],
  ["OPEN of another length", () => [makeFrame(FrameType.OPEN, 2, ONE)]],
  ["CLOSE with a payload that is no item", () => [makeFrame(FrameType.CLOSE, 1, new Uint8Array([0xc1]))]],
  ["CLOSE with a payload that is cut", () => [
    makeFrame(FrameType.CLOSE, 1, dumps({ name: "Error", message: "x" }).slice(0, -1)),
  ]],
  ["CLOSE_WRITE with a payload", () => [makeFrame(FrameType.CLOSE_WRITE, 1, ONE)]],
  ["CLOSE_WRITE twice", () => [makeFrame(FrameType.CLOSE_WRITE, 1), makeFrame(FrameType.CLOSE_WRITE, 1)]],
  ["DATA behind CLOSE_WRITE", () => [makeFrame(FrameType.CLOSE_WRITE, 1), dataFrame(1, ONE)]],
  ["CLOSE_WRITE amid an item", () => [
    dataFrame(1, uint48(10), FRAGMENT | FIRST),
    makeFrame(FrameType.CLOSE_WRITE, 1),
  ]],
  ["PING with a payload", () => [makeFrame(FrameType.PING, 0, ONE)]],
  ["REPLY that is no item", () => [makeFrame(FrameType.REPLY, 0, new Uint8Array([0xc1]))]],
  ["garbage", () => [new Uint8Array(100).fill(0x41)]],
  ["zero bytes", () => [new Uint8Array(100)]],
];

for (const [what, frames] of REFUSED) {
  test(`Session ends with a ProtocolError for ${what}`, async () => {
    for (const messages of [false, true]) {
      const script = new Scripted({}, { messages });
      script.open();
      const waiting = watch(script.session.request("info"));
      await script.feed(...frames());
      const reason = await script.reason();
      assert(reason instanceof ProtocolError, `the reason is ${reason}`);
      assert(script.transport.aborted);
      assertEquals(waiting.state, "rejected");
      assertEquals((waiting.reason as Error).name, "GatewayClosedError");
      assert((waiting.reason as Error).cause === reason);
      await script.end();
    }
  });
}

/** Frames that change nothing, because honest ones may come like that when both sides act at once. */
const IGNORED: readonly [string, () => Uint8Array[]][] = [
  ["frames for a channel of the far side that is closed", () => [
    dataFrame(2, ONE),
    creditFrame(2, 100),
    makeFrame(FrameType.CLOSE, 2),
    makeFrame(FrameType.CLOSE_WRITE, 2),
  ]],
  ["REPLY to a request that was given up", () => [makeFrame(FrameType.REPLY, 0, dumps([77, "late"]))]],
  ["REPLY that is no answer", () => [makeFrame(FrameType.REPLY, 0, dumps(null))]],
  ["PONG", () => [makeFrame(FrameType.PONG, 0)]],
  ["CLOSE of a closed channel", () => [makeFrame(FrameType.CLOSE, 1), makeFrame(FrameType.CLOSE, 1)]],
  ["CLOSE with an odd error", () => [makeFrame(FrameType.CLOSE, 1, dumps([1, 2]))]],
];

for (const [what, frames] of IGNORED) {
  test(`Session goes on after ${what}`, async () => {
    const script = new Scripted();
    script.open();
    const { channel } = script.open();
    await script.feed(...frames());
    assertEquals(await script.reason(), "alive");
    await script.feed(dataFrame(channel.id, dumps("next")));
    assertEquals(await channel.receive(), "next");
    await script.end();
  });
}

test("Session takes no room on the word of a length", async () => {
  const script = new Scripted();
  const { end } = script.open();
  const before = Deno.memoryUsage();
  const frames: Uint8Array[] = [];
  for (let i = 0; i < 500; i++) {
    frames.push(makeFrame(FrameType.OPEN, 2 + 2 * i, uint48(end.id)));
    frames.push(dataFrame(2 + 2 * i, uint48(2 ** 31 - 1), FRAGMENT | FIRST));
  }
  await script.feed(concat(...frames));
  assertEquals(await script.reason(), "alive");
  const after = Deno.memoryUsage();
  const grown = after.external - before.external;
  assert(grown < 64 * 1024 * 1024, `${grown >> 20} MiB for 18 KiB of input`);
  await script.end();
});

test("Session closes the channel, and only that, for an item that cannot be read", async () => {
  for (
    const bytes of [new Uint8Array([0xc1]), dumps({ a: 1 }).slice(0, -1), new Uint8Array([0xd4, 0x55, 0])]
  ) {
    for (const way of ["receive", "waiting", "callback", "iterate"]) {
      const script = new Scripted();
      const { channel } = script.open();
      const other = script.open().channel;
      let result: unknown;
      if (way === "waiting") result = watch(channel.receive());
      await script.feed(dataFrame(1, bytes), dataFrame(3, ONE));
      if (way === "receive") result = watch(channel.receive());
      if (way === "iterate") {
        result = watch((async () => {
          for await (const _ of channel);
        })());
      }
      if (way === "callback") {
        channel.setCallback(() => {});
        await settle();
        result = watch(channel.waitClose());
      }
      await settle();
      const { state, reason } = result as { state: string; reason: unknown };
      assertEquals(state, "rejected", way);
      assert(reason instanceof LoadError, `${way}: ${reason}`);
      assert(channel.isClosed());
      assertEquals(await other.receive(), 1);
      const closing = script.frames.filter((frame) => frame.type === FrameType.CLOSE);
      assertEquals(closing.map((frame) => frame.channel), [1]);
      await script.end();
    }
  }
});

test("Session refuses items that name channels which never were", async () => {
  const script = new Scripted();
  const { channel } = script.open();
  // An own id that was never given out.
  await script.feed(dataFrame(1, new Uint8Array([0xd4, 9, 99])));
  const error = await channel.receive().catch((reason) => reason);
  assert(error instanceof LoadError, String(error));
  assertEquals(await script.reason(), "alive");
  await script.end();
});

test("Session makes no error for a channel that is gone before somebody asks for one", async () => {
  const script = new Scripted();
  const { channel } = script.open();
  // Errors name the gateway, and nothing else does.
  let named = 0;
  Object.defineProperty(script.session, "name", { get: () => `gw${named++}` });
  await script.feed(dataFrame(1, new Uint8Array([0x92, 0xd4, 9, 8, 0xd4, 9, 10])));
  const [one, two] = await channel.receive() as unknown as [Channel, Channel];
  assertEquals([one.id, two.id, one.isClosed(), named], [8, 10, true, 0]);
  await assertRejects(() => one.receive(), EOFError, "channel 8 of gateway");
  await assertRejects(() => two.send(1), ChannelClosedError, "closed by the far side");
  await two.waitClose();
  assert(named > 0);
  await script.end();
});

test("Session finds no channels, and no Maps, in what frames say themselves", async () => {
  for (const payload of [GONE, dumps([new Map([[1, 2]])]), dumps({ fields: new Set([1]) })]) {
    for (const frame of [makeFrame(FrameType.REPLY, 0, payload), makeFrame(FrameType.CLOSE, 1, payload)]) {
      const script = new Scripted();
      script.open();
      await script.feed(frame);
      const reason = await script.reason();
      assert(reason instanceof ProtocolError, String(reason));
      await script.end();
    }
  }
});

test("Channel keeps little for a frame of one byte in a large chunk", async () => {
  const script = new Scripted({}, { messages: true });
  const { end, channel } = script.open();
  const chunks = Array.from(
    { length: 100 },
    () => concat(dataFrame(1, ONE), makeFrame(FrameType.REPLY, 0, concat(dumps(new Uint8Array(200_000))))),
  );
  await script.feed(...chunks);
  assertEquals(await script.reason(), "alive");
  assertEquals(end.unreadBytes, 100 * (1 + FRAME_COST_BYTES));
  for (let i = 0; i < 100; i++) assertEquals(await channel.receive(), 1);
  await script.end();
});

test("Channel keeps its own copy of a frame larger than an honest one that lay in the reader's buffer", async () => {
  const script = new Scripted();
  const { channel } = script.open();
  const items = (value: number): Uint8Array => new Uint8Array(40_000).fill(value);
  // Each fits one read, and the next read goes to the same buffer.
  await script.feed(dataFrame(1, items(1)));
  await script.feed(dataFrame(1, items(2)));
  for (const value of [1, 2]) {
    for (let i = 0; i < 40_000; i++) {
      const item = await channel.receive();
      if (item !== value) assertEquals(item, value);
    }
  }
  await script.end();
});

/** What an honest far side says to a local session with channels 1, 3 and 5. */
function validStream(): Uint8Array {
  return concat(
    dataFrame(1, dumps({ hello: [1, 2, 3], text: "x".repeat(50) })),
    makeFrame(FrameType.OPEN, 2, uint48(1)),
    dataFrame(1, new Uint8Array([0xd4, 9, 2])),
    dataFrame(2, dumps(new Map([["a", 1n]]))),
    makeFrame(FrameType.PING, 0),
    fragmentItem(3, new Uint8Array(3_000).fill(5), true, 1_000),
    fragmentItem(3, dumps("y".repeat(2_000)), false, 900),
    makeFrame(FrameType.REPLY, 0, dumps([1, { pid: 1 }])),
    creditFrame(5, 60_000),
    dataFrame(5, concat(dumps(1), dumps("two"), dumps([3]))),
    makeFrame(FrameType.CLOSE_WRITE, 3),
    makeFrame(
      FrameType.CLOSE,
      5,
      dumps({ name: "TypeError", message: "no", cause: { name: "E", message: "m" } }),
    ),
    makeFrame(FrameType.CLOSE, 2),
    makeFrame(FrameType.CLOSE, 1),
  );
}

function isExpected(reason: unknown): boolean {
  return reason === undefined || reason instanceof ProtocolError || reason instanceof LoadError;
}

const STREAM = validStream();

async function runMutant(bytes: Uint8Array, messages: boolean, remote: boolean): Promise<void> {
  const script = new Scripted(
    remote
      ? { firstId: 2, handlers: { exec: () => {}, kill: () => {}, request: () => 1, terminate: () => {} } }
      : {},
    { messages },
  );
  if (!remote) {
    const channels = [script.open(), script.open(), script.open()].map(({ channel }) => channel);
    channels[2]!.send(new Uint8Array(60_000)).catch(() => {});
    script.session.request("info").catch(() => {});
    // Somebody receives everything, nested channels too.
    const drain = async (channel: Channel): Promise<void> => {
      try {
        for await (const item of channel) if (item instanceof Channel) drain(item);
      } catch (error) {
        const { name } = error as Error;
        if (!["RemoteError", "LoadError", "GatewayClosedError"].includes(name)) throw error;
      }
    };
    for (const channel of channels) drain(channel);
  }
  await script.feed(bytes);
  script.transport.endInput();
  const reason = await script.reason();
  assert(isExpected(reason), `the reason is ${reason instanceof Error ? reason.stack : reason}`);
  await script.end();
}

test("Session takes the valid stream as it is", async () => {
  const script = new Scripted();
  const [a, b, c] = [script.open(), script.open(), script.open()].map(({ channel }) => channel);
  c!.send(new Uint8Array(60_000)).catch(() => {});
  const info = script.session.request("info");
  await script.feed(STREAM);
  assertEquals(await script.reason(), "alive");
  assertEquals(await info, { pid: 1 });
  assertEquals(await a!.receive(), { hello: [1, 2, 3], text: "x".repeat(50) });
  const nested = await a!.receive() as Channel;
  assertEquals(await nested.receive(), new Map([["a", 1n]]));
  assertEquals((await b!.receive() as Uint8Array).length, 3_000);
  assertEquals((await b!.receive() as string).length, 2_000);
  assertEquals([await c!.receive(), await c!.receive(), await c!.receive()], [1, "two", [3]]);
  assertEquals((await c!.receive().catch((error) => error)).remoteName, "TypeError");
  await script.end();
});

for (let part = 0; part < 5; part++) {
  test(
    `Session ends in order or goes on for 10,000 mutants of a valid stream (part ${part + 1})`,
    async () => {
      await forSeeds(seeds(20, 20 * part), async (random) => {
        for (let run = 0; run < 100; run++) {
          const bytes = STREAM.slice();
          for (let n = random.between(1, 3); n > 0; n--) {
            const at = random.below(random.chance(0.5) ? 400 : bytes.length);
            bytes[at] = random.chance(0.5) ? bytes[at]! ^ (1 << random.below(8)) : random.below(256);
          }
          const from = random.chance(0.2) ? random.below(200) : 0;
          const to = random.chance(0.2) ? random.below(bytes.length) : bytes.length;
          await runMutant(bytes.slice(Math.min(from, to), to), random.chance(0.3), random.chance(0.2));
        }
      });
    },
    60_000,
  );
}

test("Session ends in order or goes on for every single frame type with random content", async () => {
  await forSeeds(seeds(20), async (random) => {
    for (let run = 0; run < 100; run++) {
      const frames = Array.from({ length: random.between(1, 8) }, () => {
        const type = random.pick(Object.values(FrameType));
        const payload = random.chance(0.5) ? random.bytes(random.below(20)) : random.pick([
          uint48(random.below(8)),
          dumps([1, "status"]),
          dumps(null),
          new Uint8Array(4),
          new Uint8Array([0x82, 0xa4, 0x6e, 0x61, 0x6d, 0x65, 1, 0xa1, 0x61, 2]),
        ]);
        return makeFrame(type, type < 16 ? 0 : random.between(1, 8), payload, random.below(8));
      });
      await runMutant(concat(...frames), random.chance(0.5), random.chance(0.5));
    }
  });
}, 60_000);

test("Session gives a frame header of 12 bytes: the scripts above are whole frames", () => {
  let at = 0;
  while (at < STREAM.length) {
    at += HEADER_BYTES + new DataView(STREAM.buffer).getUint32(at + 8);
  }
  assertEquals(at, STREAM.length);
});
