import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { deflateRawSync } from "node:zlib";
import { ProtocolError } from "../../channel/errors.ts";
import { MAX_MESSAGE_BYTES, Packing } from "../../rsync/common/messages.ts";
import { ByteWriter } from "../../rsync/common/wire.ts";
import { unpack } from "../../rsync/far/unpack.ts";
import { LinkRate, Packer } from "../../rsync/packing.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, Random, seeds } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A message that is worth compressing, and one that is not. */
const DENSE = plain(new Uint8Array(10_000).fill(7));
const RANDOM = plain(new Random(1).bytes(10_000));

function plain(content: Bytes): Bytes {
  return concat(Uint8Array.of(Packing.PLAIN), content);
}

function deflated(length: number, packed: Uint8Array): Bytes {
  return new ByteWriter().byte(Packing.DEFLATED).number(length).raw(packed).take();
}

function slow(): LinkRate {
  const rate = new LinkRate();
  rate.sent(1000, 1000);
  return rate;
}

async function isPacked(packer: Packer, message: Bytes, own: boolean): Promise<boolean> {
  const packed = await packer.pack(message, own);
  assertEquals(await unpack(packed), message.subarray(1));
  return packed[0] === Packing.DEFLATED;
}

/** Says how many bytes are decompressed while `body` runs. */
async function countDecompressed(body: () => Promise<unknown>): Promise<number> {
  const Real = DecompressionStream;
  let bytes = 0;
  const count = new TransformStream<Bytes, Bytes>({
    transform(piece, controller): void {
      bytes += piece.length;
      controller.enqueue(piece);
    },
  });
  globalThis.DecompressionStream = class extends Real {
    override get readable(): ReadableStream<Bytes> {
      return super.readable.pipeThrough(count);
    }
  };
  try {
    await body();
  } finally {
    globalThis.DecompressionStream = Real;
  }
  return bytes;
}

test("Packer.pack() compresses what pays, and unpack() is its inverse", async () => {
  await forSeeds(seeds(30), async (random) => {
    const packer = new Packer(true, new LinkRate());
    const content = random.bytes(random.between(0, 3000));
    const message = plain(concat(content, new Uint8Array(random.below(100_000)), content));
    const packed = await packer.pack(message, random.chance(0.5));
    assert(packed.length <= message.length);
    assertEquals(await unpack(packed), message.subarray(1));
  });
});

test("Packer.pack() sends plain what does not compress, and does not try again for that file", async () => {
  const packer = new Packer(true, new LinkRate());
  packer.newFile();
  assert(!await isPacked(packer, RANDOM, true));
  assert(!await isPacked(packer, DENSE, true), "the file is known not to pay");
  packer.newFile();
  assert(await isPacked(packer, DENSE, true), "the next one may");
  assert(!await isPacked(packer, RANDOM, true), "it ceases to");
  assert(!await isPacked(packer, DENSE, true));
});

test("Packer.pack() pauses for some messages of small files when one did not pay", async () => {
  const packer = new Packer(true, new LinkRate());
  const packed: boolean[] = [];
  packed.push(await isPacked(packer, DENSE, false), await isPacked(packer, RANDOM, false));
  for (let i = 0; i < 9; i++) packed.push(await isPacked(packer, DENSE, false));
  assertEquals(packed, [true, false, ...new Array(7).fill(false), true, true]);
});

test("Packer.pack() keeps files that have messages of their own apart from small ones", async () => {
  const packer = new Packer(true, new LinkRate());
  assert(!await isPacked(packer, RANDOM, false));
  packer.newFile();
  assert(await isPacked(packer, DENSE, true));
});

test("Packer.pack() does not try short messages", async () => {
  const packer = new Packer(true, slow());
  assert(!await isPacked(packer, plain(new Uint8Array(511)), true));
  assert(await isPacked(packer, plain(new Uint8Array(512)), true));
});

test("Packer.pack() never compresses when it must not", async () => {
  assert(!await isPacked(new Packer(false, slow()), DENSE, true));
});

test("Packer.pack() decides by the way's rate when it may choose", async () => {
  const rate = new LinkRate();
  const packer = new Packer(undefined, rate);
  assert(!await isPacked(packer, DENSE, false), "nothing is known");
  rate.sent(2_000_000, 1);
  assert(!await isPacked(packer, DENSE, false), "a fast way");
  rate.sent(2_000_000, 1000);
  assert(await isPacked(packer, DENSE, false), "a slow way");
});

test("LinkRate.slow is false as long as nothing was measured, and where sending takes no time", () => {
  const rate = new LinkRate();
  assert(!rate.slow);
  rate.sent(0, 0);
  assert(!rate.slow);
  rate.sent(1000, 0);
  assert(!rate.slow);
});

test("LinkRate.slow draws the line at 40 MiB/s", () => {
  for (const [bytes, isSlow] of [[39 * 1024 * 1024, true], [41 * 1024 * 1024, false]] as const) {
    const rate = new LinkRate();
    for (let i = 0; i < 100; i++) rate.sent(bytes / 100, 10);
    assertEquals(rate.slow, isSlow, String(bytes));
  }
});

test("LinkRate.slow forgets what was long ago", () => {
  const rate = new LinkRate();
  for (let i = 0; i < 1000; i++) rate.sent(1_000_000, 1);
  assert(!rate.slow);
  for (let i = 0; i < 20; i++) rate.sent(1_000_000, 1000);
  assert(rate.slow);
  for (let i = 0; i < 200; i++) rate.sent(1_000_000, 1);
  assert(!rate.slow);
});

test("unpack() gives a plain message as a view", async () => {
  assertEquals((await unpack(RANDOM)).buffer, RANDOM.buffer);
  assertEquals((await unpack(Uint8Array.of(Packing.PLAIN))).length, 0);
});

test("unpack() takes a message of the greatest length, and an empty one", async () => {
  for (const length of [MAX_MESSAGE_BYTES, 0]) {
    const message = deflated(length, deflateRawSync(new Uint8Array(length)));
    assertEquals((await unpack(message)).length, length);
  }
});

test("unpack() refuses lies about the length", async () => {
  const packed = deflateRawSync(new Uint8Array(1000));
  for (const length of [0, 1, 999, 1001, MAX_MESSAGE_BYTES]) {
    await assertRejects(() => unpack(deflated(length, packed)), ProtocolError, "Cannot unpack a message");
  }
});

test("unpack() refuses lengths beyond what a message may be, before anything is made", async () => {
  const packed = deflateRawSync(new Uint8Array(1000));
  const made = await countDecompressed(async () => {
    for (const length of [MAX_MESSAGE_BYTES + 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      await assertRejects(() => unpack(deflated(length, packed)), ProtocolError, `${length} bytes`);
    }
  });
  assertEquals(made, 0);
});

test("unpack() stops at a bomb as soon as it is longer than it said", async () => {
  const bomb = deflateRawSync(new Uint8Array(200_000_000));
  for (const length of [1, MAX_MESSAGE_BYTES]) {
    const made = await countDecompressed(() =>
      assertRejects(() => unpack(deflated(length, bomb)), ProtocolError, "Cannot unpack a message")
    );
    assert(made < 10_000_000, `${made} bytes were made`);
  }
});

test("unpack() refuses what is not compressed, is cut short, or goes on behind its end", async () => {
  const packed = new Uint8Array(deflateRawSync(new Random(2).bytes(1000)));
  const bad = [
    new Uint8Array(0),
    Uint8Array.of(0xff, 0xff),
    packed.subarray(0, packed.length - 1),
    concat(packed, packed),
    new Random(3).bytes(5000),
  ];
  for (const bytes of bad) {
    await assertRejects(() => unpack(deflated(1000, bytes)), ProtocolError, "Cannot unpack a message");
  }
});

test("unpack() refuses what is no message", async () => {
  for (const item of [null, "text", 5, [0, 1], new Uint8Array(0), Uint8Array.of(2, 1), Uint8Array.of(255)]) {
    await assertRejects(() => unpack(item), ProtocolError);
  }
});

test("unpack() refuses garbage or gives what was claimed", async () => {
  await forSeeds(seeds(300), async (random) => {
    const length = random.below(2000);
    const message = deflated(length, random.bytes(random.below(200)));
    try {
      assertEquals((await unpack(message)).length, length);
    } catch (error) {
      assert(error instanceof ProtocolError);
    }
  });
});
