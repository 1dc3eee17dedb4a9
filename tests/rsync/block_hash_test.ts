import { assert, assertEquals, assertNotEquals } from "jsr:@std/assert@^1.0.19";
import { BlockHash, newHashKey } from "../../rsync/common/block_hash.ts";
import type { HashKey } from "../../rsync/common/block_hash.ts";
import { blockBytes, MAX_DELTA_BYTES, MIN_BLOCK_BYTES } from "../../rsync/common/blocks.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, Random, seeds } from "../helpers/seeded.ts";

const KEY: HashKey = [0x12345678, -0x76543210, 0x0fedcba9, 0x13579bdf];

/** The weak hash, as its definition says it. */
function plainWeak(bytes: Uint8Array, factor: number): number {
  const f = BigInt(factor);
  let hash = 0n;
  for (const byte of bytes) hash = BigInt.asIntN(32, hash * f + BigInt(byte));
  return Number(hash);
}

function randomKey(random: Random): HashKey {
  const one = (): number => random.below(2 ** 32) | 0;
  return [one(), one(), one(), one()];
}

/** The strong hash as text, to be kept in sets. */
function strong(hash: BlockHash, bytes: Uint8Array<ArrayBuffer>, start = 0, length = bytes.length): string {
  hash.hash(bytes, start, length);
  return hash.strong.join();
}

function flipped(bytes: Uint8Array<ArrayBuffer>, ...bits: number[]): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice();
  for (const bit of bits) copy[bit >>> 3]! ^= 1 << (bit & 7);
  return copy;
}

test("BlockHash.weak() gives what a plain twin gives, from any place and of any length", async () => {
  await forSeeds(seeds(100), (random) => {
    const hash = new BlockHash(random.between(1, 700), randomKey(random));
    const bytes = random.bytes(random.between(1, 700));
    const start = random.below(bytes.length);
    const length = random.below(bytes.length - start + 1);
    assertEquals(
      hash.weak(bytes, start, length),
      plainWeak(bytes.subarray(start, start + length), hash.factor),
    );
  });
});

test("BlockHash: a weak hash that is rolled is the one that is computed", async () => {
  await forSeeds(seeds(40), (random) => {
    const block = random.pick([1, 2, 3, 4, 5, 16, 512, 1000]);
    const hash = new BlockHash(block, randomKey(random));
    const bytes = random.bytes(block + 200);
    let weak = hash.weak(bytes, 0, block);
    for (let at = 0; at + block < bytes.length; at++) {
      weak = (Math.imul(weak, hash.factor) - Math.imul(bytes[at]!, hash.weight) + bytes[at + block]!) | 0;
      assertEquals(weak, hash.weak(bytes, at + 1, block), `at ${at + 1}`);
    }
  });
});

test("BlockHash.weight is the factor to the power of the block's length", () => {
  for (const block of [1, 2, 3, 512, 4096, 1_000_003]) {
    const hash = new BlockHash(block, KEY);
    let power = 1n;
    for (let i = 0; i < block; i++) power = BigInt.asIntN(32, power * BigInt(hash.factor));
    assertEquals(hash.weight, Number(power), `${block} bytes`);
  }
});

test("BlockHash.factor is odd and depends on the key", async () => {
  const factors = new Set<number>();
  await forSeeds(seeds(50), (random) => {
    const { factor } = new BlockHash(512, randomKey(random));
    assertEquals(factor & 7, 5);
    factors.add(factor);
  });
  assertEquals(factors.size, 50);
});

test("BlockHash.hash() is the same wherever a block begins in memory", async () => {
  await forSeeds(seeds(50), (random) => {
    const hash = new BlockHash(512, KEY);
    const length = random.pick([0, 1, 3, 4, 15, 16, 17, 31, 33, 511, 512, 700]);
    const block = random.bytes(length);
    const expected = strong(hash, block);
    for (let offset = 0; offset < 9; offset++) {
      const around = random.bytes(length + 20);
      around.set(block, offset);
      assertEquals(strong(hash, around, offset, length), expected, `at ${offset}`);
      assertEquals(strong(hash, around.subarray(offset), 0, length), expected, `a view at ${offset}`);
    }
  });
});

test("BlockHash.hash() tells blocks apart that are zeros of another number", () => {
  const hash = new BlockHash(512, KEY);
  const zeros = new Uint8Array(2000);
  const seen = new Set(Array.from(zeros, (_, length) => strong(hash, zeros, 0, length)));
  assertEquals(seen.size, zeros.length);
});

test("BlockHash.hash() tells blocks apart that differ in one bit", () => {
  const random = new Random(1);
  for (const length of [1, 5, 16, 47, 64, 512]) {
    const hash = new BlockHash(512, randomKey(random));
    for (const block of [new Uint8Array(length), random.bytes(length)]) {
      const seen = new Set([strong(hash, block)]);
      for (let bit = 0; bit < 8 * length; bit++) seen.add(strong(hash, flipped(block, bit)));
      assertEquals(seen.size, 8 * length + 1, `${length} bytes`);
    }
  }
});

test("BlockHash.hash() tells blocks apart that differ in two bits of one lane", () => {
  const random = new Random(2);
  const hash = new BlockHash(512, randomKey(random));
  for (const block of [new Uint8Array(512), random.bytes(512)]) {
    const seen = new Set([strong(hash, block)]);
    let made = 1;
    for (let lane = 0; lane < 4; lane++) {
      // Two words of the same lane, next to each other or farther apart, and any bit of each.
      for (const [a, b] of [[0, 1], [0, 2], [7, 20], [30, 31]] as const) {
        for (let i = 0; i < 32; i++) {
          for (let j = 0; j < 32; j++) {
            seen.add(strong(hash, flipped(block, 128 * a + 32 * lane + i, 128 * b + 32 * lane + j)));
            made++;
          }
        }
      }
    }
    assertEquals(seen.size, made);
  }
});

test("BlockHash.hash() tells blocks apart whose words are swapped", () => {
  const random = new Random(3);
  const hash = new BlockHash(512, randomKey(random));
  const words = Int32Array.from({ length: 128 }, () => random.below(2 ** 32) | 0);
  const seen = new Set([strong(hash, new Uint8Array(words.buffer))]);
  let made = 1;
  for (let i = 0; i < 128; i++) {
    for (let j = i + 1; j < 128; j++) {
      const swapped = words.slice();
      [swapped[i], swapped[j]] = [words[j]!, words[i]!];
      seen.add(strong(hash, new Uint8Array(swapped.buffer)));
      made++;
    }
  }
  assertEquals(seen.size, made);
});

test("BlockHash.hash() tells many short and sparse blocks apart", () => {
  const hash = new BlockHash(512, KEY);
  const seen = new Set<string>();
  let made = 0;
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) {
      seen.add(strong(hash, Uint8Array.of(a, b)));
      const sparse = new Uint8Array(512);
      sparse[a] = 1;
      sparse[511 - b] = 2;
      seen.add(strong(hash, sparse));
      made += 2;
    }
  }
  assertEquals(seen.size, made, "with other places of the two");
});

test("BlockHash.hash() spreads over all bits of both halves", () => {
  const hash = new BlockHash(512, KEY);
  const ones = new Uint32Array(64);
  const count = 4000;
  for (let i = 0; i < count; i++) {
    const block = new Uint8Array(64);
    new DataView(block.buffer).setInt32(0, i);
    hash.hash(block, 0, 64);
    for (let bit = 0; bit < 64; bit++) ones[bit]! += (hash.strong[bit >>> 5]! >>> (bit & 31)) & 1;
  }
  // Four standard deviations are 126.
  assert(ones.every((one) => Math.abs(one - count / 2) < 200), ones.join());
});

test("BlockHash.hash() depends on every part of the key", () => {
  const block = new Random(4).bytes(512);
  const seen = new Set<string>();
  for (let part = 0; part < 4; part++) {
    for (let bit = 0; bit < 32; bit++) {
      const key = [...KEY] as [number, number, number, number];
      key[part]! ^= 1 << bit;
      seen.add(strong(new BlockHash(512, key), block));
    }
  }
  assertEquals(seen.size, 128);
});

test("BlockHash keeps the key of its own", () => {
  const block = new Random(5).bytes(512);
  const [one, other] = [new BlockHash(512, KEY), new BlockHash(512, [1, 2, 3, 4])];
  const first = strong(one, block);
  assertNotEquals(strong(other, block), first);
  assertEquals(strong(one, block), first);
  assertNotEquals(newHashKey().join(), newHashKey().join());
});

test("blockBytes() keeps the number of hashes within bounds", () => {
  for (let size = 1; size <= MAX_DELTA_BYTES; size = 3 * size + 1) {
    const block = blockBytes(size);
    assert(block >= MIN_BLOCK_BYTES && Number.isInteger(Math.log2(block)), `${size}: ${block}`);
    assert(Math.ceil(size / block) <= 2 ** 18, `${size}: ${block}`);
  }
  assertEquals(blockBytes(0), MIN_BLOCK_BYTES);
  assertEquals(blockBytes(MAX_DELTA_BYTES), 32 * 1024 * 1024);
});
