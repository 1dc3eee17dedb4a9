import { assert, assertEquals, assertNotEquals } from "jsr:@std/assert@^1.0.19";
import { DIGEST_BYTES, PieceDigest, sameBytes } from "../../rsync/common/piece_digest.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, Random, seeds } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";

const PIECE_BYTES = 1024 * 1024;

/** The digest, as its definition says it. */
async function plainDigest(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const sha = async (part: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", part));
  let chain = new Uint8Array(DIGEST_BYTES);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    chain = await sha(concat(chain, await sha(bytes.slice(at, at + PIECE_BYTES))));
  }
  return chain;
}

async function digest(parts: Iterable<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>> {
  const made = new PieceDigest();
  for (const part of parts) {
    // Whoever gave it may use it again.
    const own = part.slice();
    await made.update(own);
    own.fill(0xee);
  }
  return await made.end();
}

function* cut(bytes: Uint8Array<ArrayBuffer>, size: () => number): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < bytes.length;) {
    const length = size();
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

test("PieceDigest gives what a plain twin gives around every border", async () => {
  const bytes = new Uint8Array(4 * PIECE_BYTES + 1).map((_, i) => i * 31 + (i >>> 11));
  for (const pieces of [0, 1, 2, 4]) {
    for (const more of [-1, 0, 1]) {
      const part = bytes.slice(0, Math.max(0, pieces * PIECE_BYTES + more));
      assertEquals(await digest([part]), await plainDigest(part), `${part.length} bytes`);
    }
  }
});

test("PieceDigest does not depend on how what it takes is cut", async () => {
  await forSeeds(seeds(10), async (random) => {
    const bytes = new Uint8Array(random.below(5 * PIECE_BYTES)).map((_, i) => i ^ (i >>> 7));
    const expected = await plainDigest(bytes);
    const most = random.pick([10_000, 100_000, PIECE_BYTES, 3 * PIECE_BYTES]);
    assertEquals(await digest(cut(bytes, () => random.below(most))), expected);
    assertEquals(await digest(cut(bytes, () => random.pick([PIECE_BYTES, PIECE_BYTES / 2]))), expected);
  });
});

test("PieceDigest differs when a byte does, or one is missing", async () => {
  const bytes = new Random(1).bytes(1000);
  const expected = await digest([bytes]);
  const other = bytes.slice();
  other[999]! ^= 1;
  assertNotEquals(await digest([other]), expected);
  assertNotEquals(await digest([bytes.subarray(0, 999)]), expected);
  assertNotEquals(await digest([new Uint8Array(1)]), await digest([]));
});

test("PieceDigest.end() is zeros when nothing came", async () => {
  assertEquals(await new PieceDigest().end(), new Uint8Array(DIGEST_BYTES));
});

test("sameBytes() compares length and every byte", () => {
  assert(sameBytes(new Uint8Array(0), new Uint8Array(0)));
  assert(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert(!sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assert(!sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1)));
  assert(!sameBytes(Uint8Array.of(1), Uint8Array.of(1, 2)));
});
