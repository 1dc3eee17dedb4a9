import { assertEquals, assertStrictEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { ProtocolError } from "../../channel/errors.ts";
import { Tally } from "../../rsync/tally.ts";
import type { SourceFile } from "../../rsync/walk.ts";
import { test } from "../helpers/bounded.ts";

const FILES: readonly SourceFile[] = [10, 20, 30].map((size, index) => ({
  index,
  path: `/source/f${index}`,
  name: `f${index}`,
  size,
  mode: 0o644,
  mtime: 0,
}));
const [A, B, C] = FILES as [SourceFile, SourceFile, SourceFile];

/** A tally that was offered all files, and what it has told. */
function offered(): { tally: Tally; told: string[] } {
  const told: string[] = [];
  const tally = new Tally({
    progress: (path) => told.push(`progress ${path}`),
    transferred: ({ name }) => told.push(`transferred ${name}`),
  });
  tally.offered({ bytes: new Uint8Array(1), files: FILES, size: 60 });
  return { tally, told };
}

test("Tally counts what was offered, the same, sent and removed", () => {
  const { tally, told } = offered();
  tally.same(1, 10);
  tally.begin(B);
  tally.step(B, 15);
  tally.begin(C);
  tally.step(B, 5);
  assertStrictEquals(tally.over(1, true), B);
  tally.over(2, false);
  tally.removed(3);
  const { listed, listedBytes, files, bytes, transferred, deleted, errors } = tally;
  assertEquals({ listed, listedBytes, files, bytes, transferred, deleted, errors }, {
    listed: 3,
    listedBytes: 60,
    files: 3,
    bytes: 60,
    transferred: 1,
    deleted: 3,
    errors: [],
  });
  assertEquals(told, [
    "progress undefined",
    "progress f1",
    "progress f1",
    "transferred f1",
    "progress f1",
    "progress f2",
    "progress undefined",
  ]);
});

test("Tally.step() counts no more than the file had when it was listed", () => {
  const { tally } = offered();
  tally.begin(A);
  tally.step(A, 8);
  tally.step(A, 8);
  assertEquals(tally.bytes, 10);
  tally.over(0, true);
  assertEquals(tally.bytes, 10);
});

test("Tally.over() counts all of a file of which less was sent", () => {
  const { tally } = offered();
  tally.begin(C);
  tally.step(C, 1);
  tally.over(2, false);
  assertEquals([tally.bytes, tally.files, tally.transferred], [30, 1, 0]);
});

test("Tally.redo() counts a file anew, once", () => {
  const { tally } = offered();
  tally.begin(B);
  tally.step(B, 20);
  assertStrictEquals(tally.redo(1), B);
  assertEquals(tally.bytes, 0);
  tally.step(B, 20);
  assertThrows(() => tally.redo(1), ProtocolError, "Cannot send file 1 a third time");
  tally.over(1, true);
  assertEquals([tally.bytes, tally.files], [20, 1]);
});

test("Tally refuses what was not sent or is over", () => {
  const { tally } = offered();
  const refused = [
    (): unknown => tally.redo(0),
    (): unknown => tally.over(0, true),
    (): unknown => tally.over(Number.MAX_SAFE_INTEGER, true),
    (): unknown => tally.step(A, 1),
  ];
  for (const call of refused) assertThrows(call, ProtocolError, "it is not under way");
  tally.begin(A);
  tally.over(0, true);
  for (const call of refused) assertThrows(call, ProtocolError, "it is not under way");
});

test("Tally.same() refuses more bytes than were offered", () => {
  const { tally } = offered();
  assertThrows(() => tally.same(1, 61), ProtocolError, "not so many");
  assertThrows(() => offered().tally.same(1, Number.MAX_SAFE_INTEGER), ProtocolError, "not so many");
});

test("Tally.errors keeps the first thousand errors, and how many more there were", () => {
  const { tally } = offered();
  for (let i = 0; i < 1000; i++) tally.problem(new Error(`e${i}`));
  assertEquals(tally.errors.length, 1000);
  for (let i = 0; i < 10_000; i++) tally.problem(new Error("more"));
  assertEquals(tally.errors.length, 1001);
  assertEquals(tally.errors[0]!.message, "e0");
  assertEquals(tally.errors[1000]!.message, "And 10000 errors more");
});

test("Tally passes on what its listener throws", () => {
  const thrown = new Error("the caller's");
  const tally = new Tally({
    progress: () => {
      throw thrown;
    },
    transferred: () => {},
  });
  assertStrictEquals(assertThrows(() => tally.same(0, 0)), thrown);
});
