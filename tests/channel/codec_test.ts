/** The item codec: every type there and back, what cannot be sent, and agreement with another implementation. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { decode as stdDecode, encode as stdEncode } from "jsr:@std/msgpack@^1.0.3";
import { dumps, loads } from "../../channel/codec.ts";
import { Decoder } from "../../channel/decode.ts";
import { Encoder } from "../../channel/encode.ts";
import { LoadError } from "../../channel/errors.ts";
import { randomPlainValue, randomValue, withSeed } from "../helpers/random_value.ts";
import { assertSame } from "../helpers/same_value.ts";

const roundTrip = <T>(value: T): T => loads(dumps(value)) as T;

Deno.test("loads() gives back every number to the bit", () => {
  const edges = [
    0,
    1,
    31,
    32,
    33,
    127,
    128,
    129,
    255,
    256,
    32767,
    32768,
    32769,
    65535,
    65536,
    2 ** 31 - 1,
    2 ** 31,
  ];
  edges.push(
    2 ** 31 + 1,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53 - 1,
    2 ** 53,
    2 ** 63,
    2 ** 64,
    0.5,
    0.1,
    Math.PI,
    1e300,
  );
  edges.push(5e-324, Number.MAX_VALUE, Infinity, Math.fround(0.1), 16777217, 1.401298464324817e-45, NaN);
  for (const edge of edges) for (const value of [edge, -edge]) assertSame(roundTrip(value), value);
});

Deno.test("loads() gives back every bigint as a bigint", () => {
  for (const bits of [0n, 1n, 8n, 31n, 32n, 53n, 62n, 63n, 64n, 65n, 71n, 72n, 127n, 1024n, 4096n]) {
    for (const near of [-1n, 0n, 1n]) {
      for (const sign of [1n, -1n]) {
        assertSame(roundTrip(sign * (2n ** bits + near)), sign * (2n ** bits + near));
      }
    }
  }
});

Deno.test("loads() gives back strings of every length and width", () => {
  for (const unit of ["a", "é", "日", "😀", "\ufeff", "\ufffd", "\0", "\ud800", "\udc00"]) {
    for (
      const length of [
        0,
        1,
        2,
        7,
        8,
        9,
        15,
        16,
        31,
        32,
        48,
        49,
        63,
        64,
        65,
        85,
        127,
        255,
        256,
        21845,
        65535,
        65536,
      ]
    ) {
      for (const value of [unit.repeat(length), "x" + unit.repeat(length), unit.repeat(length) + "x"]) {
        assert(roundTrip(value) === value, `${length} x ${JSON.stringify(unit)}`);
      }
    }
  }
  const reversed = "\udc00\ud800";
  assert(roundTrip(reversed) === reversed);
});

Deno.test("loads() gives back holes, and the length behind the last", () => {
  // deno-lint-ignore no-sparse-arrays
  for (const value of [[,], [, 1], [1, , undefined, ,], new Array(40), new Array(5000)]) {
    assertSame(roundTrip(value), value);
  }
  const sparse: unknown[] = [];
  sparse[3000] = "x";
  assertSame(roundTrip(sparse), sparse);
});

Deno.test("loads() gives back long arrays of numbers, and what stands among them", () => {
  const numbers = [
    0,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2 ** 31,
    2 ** 32 - 1,
    -1,
    -32,
    -33,
    -128,
    -129,
    -32768,
  ];
  numbers.push(-32769, -(2 ** 31), 0.5, -0.5, Math.PI, -0, NaN, Infinity, 2 ** 53, -(2 ** 53));
  // Lengths about where arrays are read in another way, each beginning with a number of every kind.
  for (const length of [14, 15, 16, 17, 1023, 1024, 1025, 3000]) {
    for (let first = 0; first < numbers.length; first++) {
      const array = Array.from({ length }, (_, i) => numbers[(first + i) % numbers.length]!);
      assertSame(roundTrip(array), array);
      assertSame(roundTrip([new Set([array]), array]), [new Set([array]), array]);
    }
  }
  for (const other of ["a", 1n, null, undefined, true, [1], { a: 0.5 }, new Date(0)]) {
    for (const at of [0, 1, 15, 19]) {
      for (const fill of [1, 300, 0.1]) {
        const array: unknown[] = new Array(20).fill(fill);
        array[at] = other;
        assertSame(roundTrip(array), array);
        delete array[at];
        assertSame(roundTrip(array), array);
      }
    }
  }
});

Deno.test("loads() gives back plain objects with any key and touches no prototype", () => {
  const value = JSON.parse(
    '{"__proto__":{"polluted":1},"constructor":2,"toString":3,"":4,"7":5,"4294967294":6}',
  );
  value["\ud800"] = { "\udc00é": 1 };
  value["k".repeat(300)] = value["é".repeat(20)] = undefined;
  assertSame(roundTrip(value), value);
  assertStrictEquals(Object.getPrototypeOf(roundTrip(value)), Object.prototype);
  assertStrictEquals(({} as { polluted?: number }).polluted, undefined);
  assertSame(roundTrip(Object.assign(Object.create(null), { a: 1 })), { a: 1 });
  assertSame(roundTrip({ [Symbol("s")]: 1, a: 1 }), { a: 1 });
  const many = Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => ["k" + i, i]));
  assertSame(roundTrip(many), many);
  const numbered = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [i * 37, i]));
  assertSame(roundTrip(numbered), numbered);
});

Deno.test("loads() gives back keys that share a place in the key cache", () => {
  const decoder = new Decoder();
  for (let round = 0; round < 3; round++) {
    for (
      const key of [
        "ab",
        "ba",
        "axb",
        "ayb",
        "azb",
        "abc",
        "acb",
        "a".repeat(31),
        "a".repeat(32),
        "é",
        "a\0b",
      ]
    ) {
      for (let i = 0; i < 30; i++) {
        const value = { [key + i]: i, [i + key]: i, [key]: { [key]: i } };
        decoder.reset(dumps(value));
        assertSame(decoder.next(), value);
      }
    }
  }
});

Deno.test("loads() gives back Map and Set with keys of any type, in order", () => {
  const map = new Map<unknown, unknown>([[{ a: 1 }, 1], [NaN, 2], [
    "b",
    new Set([1, "1", [new Map([[1n, null]])]]),
  ]]);
  assertSame(roundTrip(map), map);
  for (const size of [0, 1, 2, 15, 16, 70_000]) {
    const entries = Array.from({ length: size }, (_, i) => [i, "v" + i] as const);
    assertSame(roundTrip(new Map(entries)), new Map(entries));
    assertSame(roundTrip(new Set(entries)), new Set(entries));
  }
});

Deno.test("loads() gives back a Date to the millisecond over its whole range", () => {
  const times = [
    0,
    1,
    -1,
    999,
    1000,
    -1000,
    2 ** 32 * 1000,
    2 ** 32 * 1000 - 1,
    2 ** 34 * 1000,
    2 ** 34 * 1000 - 1,
  ];
  for (const time of [...times, 8.64e15, -8.64e15, Date.now(), NaN]) {
    assertSame(roundTrip(new Date(time)), new Date(time));
  }
});

Deno.test("loads() gives back RegExp and URL", () => {
  const sticky = /a/y;
  sticky.lastIndex = 5;
  for (const value of [/a/, /\//gimsuyd, /[\p{L}--a]/v, new RegExp(""), new RegExp("\n"), sticky]) {
    assertSame(roundTrip(value), value);
  }
  assertEquals(roundTrip(sticky).lastIndex, 0);
  const url = new URL("https://user:pw@example.org:8080/ä?q=ü#x");
  assertSame(roundTrip(url), url);
});

Deno.test("loads() gives back binary data of every kind in a buffer of its own", () => {
  const source = Uint8Array.from({ length: 48 }, (_, i) => i * 37);
  const types = [Uint8Array, Int8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array];
  const others = [Float32Array, Float64Array, BigInt64Array, BigUint64Array, Float16Array];
  for (const Type of [...types, ...others]) {
    for (const value of [new Type(0), new Type(source.buffer), new Type(source.buffer, 16, 2)]) {
      assertSame(roundTrip(value), value);
    }
  }
  assertSame(roundTrip(source.buffer), source.buffer);
  assertSame(roundTrip(new ArrayBuffer(0)), new ArrayBuffer(0));
  assertSame(roundTrip(new DataView(source.buffer, 3, 5)), new DataView(source.buffer, 3, 5));
  for (const size of [255, 256, 65535, 65536, 1 << 20]) {
    assertSame(roundTrip(new Uint8Array(size).fill(7)), new Uint8Array(size).fill(7));
    assertSame(roundTrip(new Int8Array(size).fill(7)), new Int8Array(size).fill(7));
  }
});

Deno.test("dumps() copies shared memory and takes a subclass of Uint8Array for one", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(9);
  assertSame(roundTrip(shared), new Uint8Array(4).fill(9));
  assertSame(roundTrip(new Int16Array(new SharedArrayBuffer(4))), new Int16Array(2));
  class Bytes extends Uint8Array {}
  assertSame(roundTrip(new Bytes(3)), new Uint8Array(3));
  assertSame(loads(new Bytes(dumps([new Uint8Array(3)]))), [new Uint8Array(3)]);
  assertSame(loads(new Uint8Array(new SharedArrayBuffer(3)).fill(0xc0).subarray(1, 2)), null);
});

Deno.test("loads() gives back errors with class, texts, cause and fields", () => {
  for (const Type of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
    const error = new Type("m", { cause: { deep: [new Error("inner")] } });
    assertSame(roundTrip(error), error);
    assertStrictEquals(Object.getPrototypeOf(roundTrip(error)), Type.prototype);
    assertEquals(Object.keys(roundTrip(error)), []);
  }
  const group = new AggregateError([new Error("a"), 1], "g");
  assertSame(roundTrip(group), group);
  assertEquals(Object.keys(roundTrip(group)), []);
  assertStrictEquals("cause" in roundTrip(new Error("x")), false);
  assertStrictEquals("cause" in roundTrip(new Error("x", { cause: undefined })), true);
});

Deno.test("loads() gives an error of an unknown class its name", () => {
  class OddError extends TypeError {
    override name = "OddError";
    code = 5;
  }
  const error = roundTrip(new OddError("m"));
  assertStrictEquals(Object.getPrototypeOf(error), Error.prototype);
  assertEquals([error.name, error.message, error.code], ["OddError", "m", 5]);
  assertEquals(Object.keys(error), ["code"]);
  assertEquals(roundTrip(new DOMException("gone", "AbortError")).name, "AbortError");
  const bare = new Error("m");
  delete bare.stack;
  assertEquals(roundTrip(bare).stack, "Error: m");
});

Deno.test("dumps() leaves out what an error carries and cannot be sent", () => {
  const error = Object.assign(new Error("m", { cause: () => {} }), {
    ok: 1,
    fn: () => {},
    self: {} as unknown,
    last: 2,
  });
  error.self = { error };
  assertEquals({ ...roundTrip(error) }, { ok: 1, last: 2 } as never);
  assertStrictEquals("cause" in roundTrip(error), false);
  const cyclic = new Error("c");
  cyclic.cause = cyclic;
  assertStrictEquals("cause" in roundTrip(cyclic), false);
  const many = Object.assign(
    new Error("m"),
    Object.fromEntries(Array.from({ length: 40 }, (_, i) => ["f" + i, i])),
  );
  assertSame(roundTrip(many), many);
});

Deno.test("dumps() does send an object twice that is held twice", () => {
  const twice = { a: [1] };
  assertSame(roundTrip([twice, twice, new Map([[twice, twice]])]), [twice, twice, new Map([[twice, twice]])]);
});

Deno.test("dumps() does return bytes of exactly the item's size", () => {
  for (const value of [1, "a".repeat(100), new Uint8Array(9000)]) {
    const bytes = dumps(value);
    assertEquals([bytes.byteOffset, bytes.length], [0, bytes.buffer.byteLength]);
    const before = bytes.slice();
    dumps("overwritten".repeat(20));
    assertEquals(bytes, before);
  }
});

Deno.test("encode() can be entered again from a getter", () => {
  const encoder = new Encoder();
  const value = {
    a: "x",
    get b(): Uint8Array {
      return encoder.encode([1, 2, 3]).slice();
    },
    c: "y",
  };
  const decoder = new Decoder();
  decoder.reset(encoder.encode(value).slice());
  assertSame(decoder.next(), { a: "x", b: new Uint8Array([0x93, 1, 2, 3]), c: "y" });
  assertSame(
    roundTrip({
      get a(): Uint8Array {
        return dumps("inner");
      },
    }),
    { a: dumps("inner") },
  );
});

Deno.test("encode() does send a Channel by the id that the hook gives", () => {
  class Channel {
    constructor(readonly id: number) {}
  }
  const encoder = new Encoder({ channel: (value) => value instanceof Channel ? value.id : undefined });
  const decoder = new Decoder({ channel: (id) => new Channel(id) });
  for (
    const id of [
      0,
      1,
      127,
      255,
      256,
      65535,
      65536,
      2 ** 24,
      2 ** 32,
      2 ** 40,
      2 ** 48,
      Number.MAX_SAFE_INTEGER,
    ]
  ) {
    decoder.reset(encoder.encode([{ ch: new Channel(id) }, "after"]));
    const [first, after] = decoder.next() as [{ ch: Channel }, string];
    assert(first.ch instanceof Channel);
    assertEquals([first.ch.id, after], [id, "after"]);
  }
  assertThrows(() => loads(encoder.encode(new Channel(1))), LoadError, "channel 1");
});

Deno.test("next() lets the hook refuse a Channel", () => {
  const bytes = new Uint8Array([0xd4, 9, 7]);
  for (const thrown of [new LoadError("no channel 7"), new Error("no channel 7")]) {
    const decoder = new Decoder({
      channel: () => {
        throw thrown;
      },
    });
    decoder.reset(bytes);
    assertThrows(() => decoder.next(), LoadError, "no channel 7");
  }
});

Deno.test("next() reads concatenated items and moves its offset behind each", () => {
  const values = [1, "two", { three: [3] }, new Map([[4, 4]]), undefined, new Uint8Array(5)];
  const parts = values.map((value) => dumps(value));
  const bytes = new Uint8Array(parts.flatMap((part) => [...part]));
  const decoder = new Decoder();
  decoder.reset(bytes, parts[0]!.length);
  let offset = parts[0]!.length;
  for (let i = 1; i < values.length; i++) {
    assertSame(decoder.next(), values[i]);
    assertEquals(decoder.offset, offset += parts[i]!.length);
  }
  assertThrows(() => decoder.next(), LoadError);
  assertThrows(() => decoder.reset(bytes, -1), RangeError);
  assertThrows(() => decoder.reset("bytes" as never), TypeError);
  decoder.reset(parts[2]!);
  assertSame(decoder.next(), values[2]);
});

Deno.test("loads() gives back what dumps() took, for random values of every type", () => {
  withSeed((random) => {
    const encoder = new Encoder();
    const decoder = new Decoder();
    for (let i = 0; i < 4000; i++) {
      const value = randomValue(random, 0);
      decoder.reset(encoder.encode(value));
      assertSame(decoder.next(), value);
      assertEquals(decoder.offset, encoder.encode(value).length);
    }
  });
});

// @std/msgpack differs where the format leaves a choice: it writes every fractional number as a float64 and every
// integer beyond 32 bits as an int64 or uint64, which it reads back as a bigint. The random values hold no such
// integers, and its floats are read here like any others.
Deno.test("dumps() writes what @std/msgpack reads, and loads() reads what it writes", () => {
  withSeed((random) => {
    for (let i = 0; i < 4000; i++) {
      const value = randomPlainValue(random, 0);
      if (isLossy(value)) continue;
      // This way round, as its bytes are views into the input.
      assertSame(value, stdDecode(dumps(value)));
      assertSame(loads(stdEncode(value as never)), value);
    }
  });
});

/** Whether @std/msgpack changes a value: it sets prototypes by key, and drops a byte order mark. */
function isLossy(value: unknown): boolean {
  if (typeof value === "string") return value.startsWith("\ufeff");
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  return Object.hasOwn(value, "__proto__") || Object.entries(value).flat().some(isLossy);
}
