import { assert, assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { ProtocolError } from "../../channel/errors.ts";
import { BlockHash } from "../../rsync/common/block_hash.ts";
import type { HashKey } from "../../rsync/common/block_hash.ts";
import { MAX_DELTA_BYTES, MIN_BLOCK_BYTES, SUM_BYTES } from "../../rsync/common/blocks.ts";
import { Matcher, Signature } from "../../rsync/delta.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, Random, seeds } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const KEY: HashKey = [0x12345678, -0x76543210, 0x0fedcba9, 0x13579bdf];
const BLOCK = MIN_BLOCK_BYTES;
const EVERYTHING = (): number => Infinity;

/** The hashes of a file's blocks, as its owner sends them. */
function sumsOf(old: Bytes, block: number): Bytes {
  const hash = new BlockHash(block, KEY);
  const sums: number[] = [];
  for (let at = 0; at < old.length; at += block) {
    const length = Math.min(block, old.length - at);
    hash.hash(old, at, length);
    sums.push(hash.weak(old, at, length), ...hash.strong);
  }
  return sumBytes(sums);
}

function sumBytes(sums: readonly number[]): Bytes {
  const bytes = new Uint8Array(4 * sums.length);
  const view = new DataView(bytes.buffer);
  sums.forEach((sum, i) => view.setInt32(4 * i, sum));
  return bytes;
}

function signatureOf(old: Bytes): Signature {
  const signature = new Signature(old.length);
  signature.add(sumsOf(old, signature.block));
  assert(signature.complete);
  return signature;
}

/** What a new file is made of, of which literals are counted. */
interface Delta {
  readonly rebuilt: Bytes;
  readonly literal: number;
  /** First blocks and counts. */
  readonly copies: readonly [number, number][];
}

/** Makes the new file again from what the matcher says of it, cut into pieces of `size()`. */
function deltaOf(old: Bytes, now: Bytes, signature = signatureOf(old), size = EVERYTHING): Delta {
  const matcher = new Matcher(signature, KEY);
  const made: Bytes[] = [];
  const copies: [number, number][] = [];
  let literal = 0;
  const take = (parts: ReturnType<Matcher["finish"]>): void => {
    for (const part of parts) {
      if (part.kind === "literal") {
        assert(part.bytes.length > 0);
        literal += part.bytes.length;
        made.push(part.bytes.slice());
      } else {
        assert(part.count > 0 && part.first + part.count <= signature.count);
        copies.push([part.first, part.count]);
        made.push(old.slice(part.first * signature.block, (part.first + part.count) * signature.block));
      }
    }
  };
  for (let at = 0; at < now.length;) {
    const room = matcher.room();
    const piece = now.subarray(at, at + Math.min(room.length, size()));
    room.set(piece);
    take(matcher.filled(piece.length));
    at += piece.length;
  }
  take(matcher.finish());
  return { rebuilt: concat(...made), literal, copies };
}

/** How many bytes a plain search does not find: the same window, each looked for byte by byte among all blocks. */
function plainLiteral(old: Bytes, now: Bytes): number {
  const text = (bytes: Bytes): string => String.fromCharCode(...bytes);
  const blocks = new Set<string>();
  for (let at = 0; at < old.length; at += BLOCK) blocks.add(text(old.subarray(at, at + BLOCK)));
  let literal = 0;
  for (let at = 0; at < now.length;) {
    const matches = blocks.has(text(now.subarray(at, at + BLOCK)));
    literal += matches ? 0 : 1;
    at += matches ? BLOCK : 1;
  }
  return literal;
}

/** A part of the bytes changed in one of the ways that files change. */
function edited(old: Bytes, random: Random): Bytes {
  const at = random.below(old.length + 1);
  const length = random.below(Math.min(3000, old.length - at + 1));
  const [before, part, after] = [
    old.subarray(0, at),
    old.subarray(at, at + length),
    old.subarray(at + length),
  ];
  const to = random.below(before.length + 1);
  const fresh = random.bytes(random.below(2000));
  const edits: Record<string, readonly Uint8Array[]> = {
    insert: [before, fresh, part, after],
    remove: [before, after],
    overwrite: [before, random.bytes(length), after],
    move: [before.subarray(0, to), part, before.subarray(to), after],
    append: [old, fresh],
    prepend: [fresh, old],
    truncate: [before],
    behead: [part, after],
    repeat: [before, part, part, part, after],
    zeros: [before, new Uint8Array(length), after],
    nothing: [old],
  };
  return concat(...edits[random.pick(Object.keys(edits))]!);
}

/** Counts the bytes that are hashed while `body` runs. */
function countHashed(body: () => void): number {
  const { weak, hash } = BlockHash.prototype;
  let bytes = 0;
  BlockHash.prototype.weak = function (...args): number {
    bytes += args[2];
    return weak.apply(this, args);
  };
  BlockHash.prototype.hash = function (...args): void {
    bytes += args[2];
    hash.apply(this, args);
  };
  try {
    body();
  } finally {
    Object.assign(BlockHash.prototype, { weak, hash });
  }
  return bytes;
}

test("Matcher: what is rebuilt is the new file, whatever was edited and however it is cut", async () => {
  await forSeeds(seeds(150), (random) => {
    const size = random.pick([1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 5000, 30_000, 64 * BLOCK]);
    const old = random.chance(0.15) ? new Uint8Array(size) : random.bytes(size);
    let now = old;
    for (let i = random.between(1, 4); i > 0; i--) now = edited(now, random);
    const signature = signatureOf(old);
    const whole = deltaOf(old, now, signature);
    assertEquals(whole.rebuilt, now);
    const most = random.pick([1, 7, BLOCK, 5000]);
    assertEquals(deltaOf(old, now, signature, () => random.between(1, most)), whole);
  });
});

test("Matcher finds what a plain twin finds", async () => {
  await forSeeds(seeds(30), (random) => {
    // Blocks of a few kinds, so that many are the same.
    const kinds = Array.from(
      { length: 4 },
      (_, i) => new Uint8Array(BLOCK).map((_, j) => i < 2 ? i : (j * i) >> 3),
    );
    const old = concat(
      ...Array.from({ length: 6 }, () => random.chance(0.5) ? random.pick(kinds) : random.bytes(BLOCK)),
    );
    let now = old;
    for (let i = random.between(1, 4); i > 0; i--) now = edited(now, random);
    const delta = deltaOf(old, now);
    assertEquals(delta.rebuilt, now);
    assertEquals(delta.literal, plainLiteral(old, now));
  });
});

test("Matcher works across the border of its buffer", async () => {
  await forSeeds(seeds(4), (random) => {
    const old = new Uint8Array(1_500_000).map((_, i) => (i * i) >>> 5);
    const fresh = new Uint8Array(700_000).map((_, i) => (i * i * 7) >>> 9);
    const at = random.below(old.length);
    const now = concat(old.subarray(0, at), fresh, old.subarray(at), fresh);
    const delta = deltaOf(old, now, signatureOf(old), () => random.between(1, 400_000));
    assertEquals(delta.rebuilt.length, now.length);
    assert(delta.rebuilt.every((byte, i) => byte === now[i]));
  });
});

test("Matcher gives one run for a file that is the same", () => {
  for (const size of [1, BLOCK - 1, BLOCK, BLOCK + 1, 100 * BLOCK, 100 * BLOCK + 7]) {
    for (const old of [new Random(size).bytes(size), new Uint8Array(size)]) {
      const { count } = signatureOf(old);
      const delta = deltaOf(old, old);
      assertEquals([delta.literal, delta.copies], [0, [[0, count]]], `${size} bytes`);
    }
  }
});

test("Matcher hashes a file that is the same once", () => {
  const old = new Random(1).bytes(100 * BLOCK);
  const signature = signatureOf(old);
  assertEquals(countHashed(() => deltaOf(old, old, signature)), old.length);
});

test("Matcher gives no more than a block for a byte that has changed", async () => {
  await forSeeds(seeds(60), (random) => {
    const old = random.bytes(20 * BLOCK + 100);
    const now = old.slice();
    now[random.below(old.length)]! ^= random.between(1, 255);
    const delta = deltaOf(old, now);
    assertEquals(delta.rebuilt, now);
    assert(delta.literal <= BLOCK, `${delta.literal} bytes`);
  });
});

test("Matcher gives no more than a block and the byte for a byte that was put in", async () => {
  await forSeeds(seeds(60), (random) => {
    const old = random.bytes(20 * BLOCK + 100);
    const at = random.below(old.length + 1);
    const now = concat(old.subarray(0, at), random.bytes(1), old.subarray(at));
    const delta = deltaOf(old, now);
    assertEquals(delta.rebuilt, now);
    assert(delta.literal <= BLOCK + 1, `${delta.literal} bytes, put in at ${at}`);
  });
});

test("Matcher gives what was appended, and no more than a block of what was there", () => {
  const random = new Random(2);
  for (const size of [10 * BLOCK, 10 * BLOCK + 100]) {
    const old = random.bytes(size);
    const delta = deltaOf(old, concat(old, random.bytes(3000)));
    assert(delta.literal <= 3000 + BLOCK, `${delta.literal} bytes`);
    const less = deltaOf(old, old.slice(0, 5000));
    assert(less.literal < BLOCK, `${less.literal} bytes`);
    assertEquals(deltaOf(old, new Uint8Array(0)), { rebuilt: new Uint8Array(0), literal: 0, copies: [] });
  }
});

test("Matcher stays linear when a file repeats itself", () => {
  const old = new Uint8Array(2_000_000);
  const signature = signatureOf(old);
  const now = concat(new Uint8Array(700_001), Uint8Array.of(1), new Uint8Array(1_299_999));
  const hashed = countHashed(() => assertEquals(deltaOf(old, now, signature).rebuilt.length, now.length));
  assert(hashed < 3 * now.length, `${hashed} bytes were hashed`);
});

test("Matcher stays linear when thousands of blocks claim the weak hash of every window", () => {
  const signature = new Signature(200_000_000);
  assert(signature.count > 3000);
  const { block } = signature;
  const weak = new BlockHash(block, KEY).weak(new Uint8Array(block), 0, block);
  signature.add(sumBytes(Array.from({ length: signature.count }, (_, i) => [weak, i, -i]).flat()));
  const now = new Uint8Array(400_000);
  const hashed = countHashed(() => {
    const matcher = new Matcher(signature, KEY);
    for (let at = 0; at < now.length;) {
      const length = Math.min(matcher.room().fill(0).length, now.length - at);
      matcher.filled(length);
      at += length;
    }
    matcher.finish();
  });
  // Every window would be a block each.
  assert(hashed < 66 * now.length, `${hashed} bytes were hashed`);
});

test("Matcher still finds blocks behind windows that were hashed in vain", () => {
  const random = new Random(3);
  const block = new Signature(20 * BLOCK).block;
  const old = random.bytes(20 * block);
  const sums = sumsOf(old, block);
  // The first block claims to be all zeros.
  new DataView(sums.buffer).setInt32(0, new BlockHash(block, KEY).weak(new Uint8Array(block), 0, block));
  const signature = new Signature(old.length);
  signature.add(sums);
  const now = concat(new Uint8Array(3000), old.subarray(block), random.bytes(3000));
  const delta = deltaOf(old, now, signature);
  assertEquals(delta.rebuilt, now);
  assertEquals(delta.literal, 6000);
});

test("Signature keeps few blocks of one bucket, so that none is searched for long", () => {
  const signature = new Signature(200_000_000);
  // What gives the highest bits of a product is chosen by the inverse of what is multiplied by (modulo 2^32).
  let inverse = 1;
  for (let i = 0; i < 5; i++) inverse = Math.imul(inverse, 2 - Math.imul(0x9e3779b1, inverse));
  const weaks = Array.from({ length: signature.count }, (_, i) => Math.imul(inverse, i));
  signature.add(sumBytes(weaks.flatMap((weak, i) => [weak, i, i])));
  assert(signature.complete);
  const there = weaks.filter((weak) => signature.hasWeak(weak));
  assert(there.length >= 1 && there.length <= 8, `${there.length} blocks`);
});

test("Signature.find() looks at few blocks that have the same weak hash", () => {
  const signature = new Signature(200_000_000);
  signature.add(sumBytes(Array.from({ length: signature.count }, (_, i) => [7, i, i]).flat()));
  const found = Array.from({ length: signature.count }, (_, i) => signature.find(7, Int32Array.of(i, i)));
  const there = found.filter((i) => i >= 0);
  assert(there.length >= 1 && there.length <= 8, `${there.length} blocks`);
  assert(there.every((i) => found[i] === i));
});

test("Signature keeps one of blocks that are the same", () => {
  const old = concat(new Uint8Array(100 * BLOCK), new Uint8Array(BLOCK).fill(1));
  const signature = signatureOf(old);
  const { block } = signature;
  const hash = new BlockHash(block, KEY);
  const zeros = new Uint8Array(block);
  hash.hash(zeros, 0, block);
  assertEquals(signature.find(hash.weak(zeros, 0, block), hash.strong), 0);
  assertEquals(signature.find(hash.weak(zeros, 0, block), Int32Array.of(1, 2)), -1);
});

test("Signature.add() refuses more hashes than there are blocks, and parts of hashes", () => {
  const signature = new Signature(3 * BLOCK);
  signature.add(new Uint8Array(SUM_BYTES));
  assert(!signature.complete);
  for (const length of [0, 1, SUM_BYTES - 1, SUM_BYTES + 1, 3 * SUM_BYTES, 300 * SUM_BYTES]) {
    assertThrows(() => signature.add(new Uint8Array(length)), ProtocolError, "too many");
  }
  signature.add(new Uint8Array(2 * SUM_BYTES));
  assert(signature.complete);
  assertThrows(() => signature.add(new Uint8Array(SUM_BYTES)), ProtocolError, "too many");
});

test("Signature takes hashes however they are cut, and from any place in memory", () => {
  const old = new Random(4).bytes(30 * BLOCK + 5);
  const one = signatureOf(old);
  const cut = new Signature(old.length);
  const sums = sumsOf(old, one.block);
  for (let at = 0; at < sums.length; at += SUM_BYTES) {
    cut.add(concat(Uint8Array.of(0, 0, 0), sums.subarray(at, at + SUM_BYTES)).subarray(3));
  }
  const now = edited(old, new Random(5));
  assertEquals(deltaOf(old, now, cut), deltaOf(old, now, one));
});

test("Signature refuses sizes that no file is divided for", () => {
  for (const size of [0, MAX_DELTA_BYTES + 1, 2 ** 50, Number.MAX_SAFE_INTEGER]) {
    assertThrows(() => new Signature(size), ProtocolError, String(size));
  }
});

test("Signature takes little memory for the largest size", () => {
  const signature = new Signature(MAX_DELTA_BYTES);
  assertEquals(signature.count, 2 ** 18);
  assert(signature.filter.byteLength <= 4 * 1024 * 1024);
});
