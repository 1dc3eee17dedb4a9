/** The item format, frozen: bytes that were written once and must be written and read the same for ever. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { dumps, EXT, loads } from "../../channel/codec.ts";
import { Encoder } from "../../channel/encode.ts";
import { GOLDEN_ITEMS } from "../helpers/golden_items.ts";
import { assertSame } from "../helpers/same_value.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.fromHex(hex);

Deno.test("dumps() writes the golden bytes", () => {
  assert(GOLDEN_ITEMS.length >= 60);
  for (const [hex, make] of GOLDEN_ITEMS) assertEquals(dumps(make()).toHex(), hex, String(make));
});

Deno.test("loads() reads the golden bytes", () => {
  for (const [hex, make] of GOLDEN_ITEMS) assertSame(loads(bytes(hex)), make(), String(make));
});

Deno.test("loads() reads the golden bytes behind an explicit version 1", () => {
  for (const [hex, make] of GOLDEN_ITEMS) assertSame(loads(bytes("c101" + hex)), make(), String(make));
});

Deno.test("dumps() writes the smallest header at every size", () => {
  const ints = (length: number): number[] => new Array(length).fill(7);
  const map = (length: number): unknown => Object.fromEntries(ints(length).map((value, i) => [i, value]));
  const cases: [unknown, string][] = [
    ["a".repeat(255), "d9ff61"],
    ["a".repeat(256), "da010061"],
    ["a".repeat(65535), "daffff61"],
    ["a".repeat(65536), "db0001000061"],
    ["é".repeat(15), "bec3a9"],
    ["é".repeat(127), "d9fec3a9"],
    ["é".repeat(128), "da0100c3a9"],
    ["é".repeat(32768), "db00010000c3a9"],
    [new Uint8Array(255), "c4ff00"],
    [new Uint8Array(256), "c5010000"],
    [new Uint8Array(65535), "c5ffff00"],
    [new Uint8Array(65536), "c60001000000"],
    [ints(65535), "dcffff07"],
    [ints(65536), "dd0001000007"],
    [map(15), "8fa130"],
    [map(16), "de0010a130"],
    [map(65535), "deffffa130"],
    [map(65536), "df00010000a130"],
    [new Int8Array(254), "c7ff0302"],
    [new Int8Array(255), "c801000302"],
    [new Int8Array(65534), "c8ffff0302"],
    [new Int8Array(65535), "c9000100000302"],
    [new Set(["a".repeat(252)]), "c7ff0591d9fc"],
    [new Set(["a".repeat(253)]), "c801000591d9fd"],
    [new Set(["a".repeat(65531)]), "c8ffff0591dafffb"],
    [new Set(["a".repeat(65532)]), "c9000100000591dafffc"],
  ];
  for (const [value, start] of cases) {
    const written = dumps(value);
    assertEquals(written.subarray(0, start.length / 2).toHex(), start);
    assertSame(loads(written), value);
  }
});

Deno.test("encode() writes the golden bytes of a Channel", () => {
  class Channel {
    constructor(readonly id: number) {}
  }
  const encoder = new Encoder({ channel: (value) => (value as Channel).id });
  const golden: [number, string][] = [
    [0, "d40900"],
    [255, "d409ff"],
    [256, "d5090100"],
    [65536, "c70309010000"],
    [2 ** 24, "d60901000000"],
    [2 ** 32, "c705090100000000"],
    [Number.MAX_SAFE_INTEGER, "c707091fffffffffffff"],
  ];
  for (const [id, hex] of golden) assertEquals(encoder.encode(new Channel(id)).toHex(), hex);
});

Deno.test("loads() reads valid MessagePack that is not in its smallest form", () => {
  const cases: [string, unknown][] = [
    ["cc01", 1],
    ["cd0001", 1],
    ["ce00000001", 1],
    ["cf0000000000000001", 1n],
    ["d0ff", -1],
    ["d1ffff", -1],
    ["d2ffffffff", -1],
    ["d07f", 127],
    ["cb3ff0000000000000", 1],
    ["d90161", "a"],
    ["da000161", "a"],
    ["db0000000161", "a"],
    ["c5000101", new Uint8Array([1])],
    ["c60000000101", new Uint8Array([1])],
    ["dc000101", [1]],
    ["dd0000000101", [1]],
    ["de0001a16101", { a: 1 }],
    ["df00000001da00016101", { a: 1 }],
    ["c7010000", undefined],
    ["c800010000", undefined],
    ["c9000000010000", undefined],
    ["81d5016100c0", { a: null }],
    ["82a16101a16102", { a: 2 }],
    ["d7ff0000000000000001", new Date(1000)],
    ["c70cff000000000000000000000001", new Date(1000)],
    ["d502" + "0005", 5n],
  ];
  for (const [hex, value] of cases) assertSame(loads(bytes(hex)), value, hex);
});

Deno.test("EXT is frozen", () => {
  assertEquals(EXT, {
    CONSTANT: 0,
    UTF16: 1,
    BIGINT: 2,
    BINARY: 3,
    MAP: 4,
    SET: 5,
    REGEXP: 6,
    URL: 7,
    ERROR: 8,
    CHANNEL: 9,
    TIMESTAMP: -1,
  });
});
