import { assertEquals, assertStrictEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { ProtocolError } from "../../channel/errors.ts";
import { Offered } from "../../rsync/offered.ts";
import type { Batch, SourceFile } from "../../rsync/walk.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";

/** A part of a list, with files `first` and so on. */
function batch(first: number, count: number): Batch {
  const files: SourceFile[] = Array.from({ length: count }, (_, i) => {
    const name = `f${first + i}`;
    return { index: first + i, path: `/source/${name}`, name, size: 1, mode: 0o644, mtime: 0 };
  });
  return { bytes: new Uint8Array(1), files, size: count };
}

test("Offered.take() gives files in their order", () => {
  const offered = new Offered();
  const parts = [batch(0, 3), batch(3, 0), batch(3, 2)];
  for (const part of parts) offered.add(part);
  const files = parts.flatMap((part) => part.files);
  for (const [i, file] of files.entries()) assertStrictEquals(offered.take(i), file);
  assertThrows(() => offered.take(5), ProtocolError, "file 5 of 5 is the next");
});

test("Offered.take() refuses files that were never offered, twice, or out of order", () => {
  for (const index of [1, 2, 3, 100, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const offered = new Offered();
    offered.add(batch(0, 3));
    assertThrows(() => offered.take(index), ProtocolError, `Cannot give file ${index}`);
  }
  const offered = new Offered();
  assertThrows(() => offered.take(0), ProtocolError);
  offered.add(batch(0, 3));
  offered.take(0);
  assertThrows(() => offered.take(0), ProtocolError, "file 1 of 3 is the next");
  assertThrows(() => offered.take(2), ProtocolError);
  assertEquals(offered.take(1).index, 1, "what is refused changes nothing");
});

test("Offered.passOver() passes over files, and refuses to pass over more than there are", () => {
  const offered = new Offered();
  offered.add(batch(0, 3));
  offered.add(batch(3, 3));
  offered.passOver(0);
  offered.passOver(4);
  assertThrows(() => offered.take(0), ProtocolError);
  assertEquals(offered.take(4).index, 4);
  offered.passOver(1);
  assertThrows(() => offered.take(6), ProtocolError);
  assertThrows(() => offered.passOver(1), ProtocolError, "not offered");
  for (const files of [7, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const other = new Offered();
    other.add(batch(0, 6));
    assertThrows(() => other.passOver(files), ProtocolError, `Cannot pass over ${files} files`);
  }
});

test("Offered gives what a list of all files gives, however it is offered and asked", async () => {
  await forSeeds(seeds(100), (random) => {
    const offered = new Offered();
    let end = 0;
    let next = 0;
    for (let step = 0; step < 60; step++) {
      if (random.chance(0.3)) {
        const count = random.below(5);
        offered.add(batch(end, count));
        end += count;
      } else if (random.chance(0.5)) {
        const count = random.below(end - next + 1);
        offered.passOver(count);
        next += count;
      } else if (next < end) {
        assertEquals(offered.take(next).name, `f${next}`);
        next++;
      } else {
        assertThrows(() => offered.take(next), ProtocolError);
      }
    }
  });
});
