/** The item codec against bytes that no encoder has written: a value or a LoadError, in bounded time and memory. */

import { assert, assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { dumps, loads } from "../../channel/codec.ts";
import { Decoder } from "../../channel/decode.ts";
import { DataFormatError, LoadError } from "../../channel/errors.ts";
import { GOLDEN_ITEMS } from "../helpers/golden_items.ts";
import { randomValue, withSeed } from "../helpers/random_value.ts";

const MIB = 1024 * 1024;

const bytes = (hex: string): Uint8Array => Uint8Array.fromHex(hex);

/** Loads, or returns the error, which must be a LoadError. */
function attempt(input: Uint8Array): unknown {
  try {
    return loads(input);
  } catch (error) {
    if (!(error instanceof LoadError)) {
      throw new Error(`Not a LoadError for ${input.toHex()}`, { cause: error });
    }
    assert(error instanceof DataFormatError);
    return error;
  }
}

/** How many bytes of the heap and of buffers are in use, garbage included. */
function used(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

Deno.test("loads() refuses every truncation of every golden item", () => {
  for (const [hex] of GOLDEN_ITEMS) {
    const whole = bytes(hex);
    for (let length = 0; length < whole.length; length++) {
      assertThrows(() => loads(whole.subarray(0, length)), LoadError, "", `${hex} cut to ${length}`);
      // The buffer goes on behind the view, where the decoder must not look.
      assertThrows(() => loads(whole.slice(0, length)), LoadError, "", `${hex} cut to ${length}`);
    }
  }
});

Deno.test("loads() refuses every truncation of a long array of numbers", () => {
  for (const number of [1, -1, 200, -100, 60_000, -30_000, 2 ** 31, -(2 ** 31), 0.5, 0.1]) {
    const array = dumps(new Array(20).fill(number));
    for (let length = 0; length < array.length; length++) {
      const error = attempt(array.subarray(0, length));
      assert(
        error instanceof LoadError && error.message.includes("ends inside"),
        `${number} cut to ${length}`,
      );
      // What stands behind an extension is not what the array inside it may go on with.
      const set = new Uint8Array([0x92, 0xc8, 0, length, 5, ...array]);
      assert(length === 0 || attempt(set) instanceof LoadError, `${number} cut to ${length} in a Set`);
    }
  }
});

Deno.test("loads() refuses bytes behind the item", () => {
  for (const [hex] of GOLDEN_ITEMS) assertThrows(() => loads(bytes(hex + "00")), LoadError, "1 bytes follow");
});

Deno.test("loads() refuses other versions by name", () => {
  for (const version of [0, 2, 77, 255]) {
    const input = new Uint8Array([0xc1, version, 0xc0]);
    assertThrows(() => loads(input), LoadError, `format version ${version}`);
  }
  for (const hex of ["c1", "c101", "c101c101c0", "91c101c0", "c101c0c0"]) {
    assertThrows(() => loads(bytes(hex)), LoadError);
  }
});

Deno.test("loads() refuses what no encoder writes", () => {
  const cases: Record<string, string> = {
    "a key that is an int": "8101c0",
    "a key that is nil": "81c0c0",
    "a key that is bytes": "81c40161c0",
    "a key that is a hole": "81d40001c0",
    "a key that is a Date": "81d6ff00000000c0",
    "a hole outside of an array": "d40001",
    "a hole as a value": "81a161d40001",
    "a hole as a key of a Map": "c7050481d4000101",
    "an unknown constant": "d40003",
    "a constant of two bytes": "d5000000",
    "an empty constant": "c70000",
    "an unknown extension type": "d40a00",
    "a reserved extension type": "d4fe00",
    "a lone continuation byte": "a180",
    "an overlong NUL": "a2c080",
    "an overlong slash": "a3e080af",
    "a UTF-8 surrogate": "a3eda080",
    "a code point beyond the last": "a4f4908080",
    "a cut code point": "a2e697",
    "a bad key": "81a1ffc0",
    "a long string of bad bytes": "d940" + "61".repeat(63) + "ff",
    "half a UTF-16 unit": "c703016100d8",
    "a bigint without sign": "c70002",
    "a bigint without magnitude": "d40200",
    "a bigint of sign 2": "d5020201",
    "binary data without kind": "c70003",
    "binary data of unknown kind": "d4030d",
    "binary data of the kind after the last": "d503ff00",
    "half an Int16": "d5030400",
    "a part of a BigInt64": "d6030a000000",
    "a Map that is an array": "d40490",
    "a Map without content": "c70004",
    "a Map with bytes behind": "d50480c0",
    "a Set that is a map": "d40580",
    "a Set with bytes behind": "d50590c0",
    "a Map that ends in its extension's middle": "d40481",
    "a RegExp with bad flags": "d706a163a57a7a7a7a7a",
    "a RegExp that does not parse": "d606a128a0c0",
    "a bad RegExp": "c70306a128a0",
    "a RegExp of a number": "d50601a0",
    "a URL that does not parse": "d5073a3a",
    "a URL of bad bytes": "d507ffff",
    "a Date of 5 bytes": "c705ff0000000000",
    "a Date with too many nanoseconds": "d7ffee6b280000000000",
    "a Date out of range": "c70cff000000007fffffffffffffff",
    "a Date before the first": "c70cff000000008000000000000000",
    "an Error that is an int": "d40801",
    "an Error that is a Map": "d608d40480c0",
    "an Error without texts": "d40880",
    "an Error with a number for a name": "c7100882a46e616d6501a76d657373616765a0",
    "a Channel": "d40901",
    "a Channel without id": "c70009",
    "a Channel beyond safe integers": "d7090020000000000000",
    "byte c1": "91c1",
  };
  for (const [name, hex] of Object.entries(cases)) assertThrows(() => loads(bytes(hex)), LoadError, "", name);
});

Deno.test("loads() refuses a count that the input cannot fill before it allocates", () => {
  const before = used();
  const tail = "00".repeat(40);
  for (const lead of ["c6", "c9", "db", "dd", "df"]) {
    for (const count of ["ffffffff", "7fffffff", "10000000", "00000100"]) {
      for (const wrap of ["", "91", "81a161", "de0002a161"]) {
        const error = attempt(bytes(wrap + lead + count + tail));
        assert(error instanceof LoadError && error.message.includes("ends inside"), wrap + lead + count);
      }
    }
  }
  // A map of n entries needs 2n bytes, and what is left in an extension counts, not what is left of the input.
  assert(attempt(bytes("dd00000029" + tail)) instanceof LoadError);
  assert(attempt(bytes("df00000015" + tail)) instanceof LoadError);
  assert(attempt(bytes("92c70505dd00000020" + tail)) instanceof LoadError);
  assert(used() - before < 32 * MIB);
});

Deno.test("loads() takes no more than a small multiple of the input's size", () => {
  const repeat = (hex: string, count = 100_000): Uint8Array => {
    const header = new Uint8Array([0xdd, count >> 24, count >> 16, count >> 8, count]);
    const unit = bytes(hex);
    const all = new Uint8Array(header.length + count * unit.length);
    all.set(header);
    for (let i = 0; i < count; i++) all.set(unit, header.length + i * unit.length);
    return all;
  };
  // The smallest forms of what is biggest in memory, many times over.
  const shapes: Record<string, string> = {
    "empty arrays": "90",
    "empty objects": "80",
    "objects with one far index": "81a3343939c0",
    "objects with a farther index": "81a431303233c0",
    "objects with indices at the edge": "83a139c0a23135c0a3343939c0",
    "holes": "d40001",
    "empty Maps": "d40480",
    "empty Sets": "d40590",
    "dates": "d6ff00000000",
    "errors": "c7100882a46e616d65a0a76d657373616765a0",
    "errors with one far index": "c7150883a46e616d65a0a76d657373616765a0a3343939c0",
    "empty bytes": "c400",
    "bigints": "d5020001",
  };
  const factors: Record<string, number> = {};
  for (const [name, hex] of Object.entries(shapes)) {
    const input = repeat(hex);
    const before = used();
    const value = attempt(input);
    factors[name] = Math.round((used() - before) / input.length);
    assert(Array.isArray(value) && value.length === 100_000, name);
    // Garbage is counted too; an object with one index set aside 1,000 bytes per byte before it was guarded against.
    assert(factors[name] < 200, `${name}: ${factors[name]} bytes per byte of input`);
  }
});

Deno.test("loads() bounds what nested headers can promise", () => {
  const before = used();
  // Each level claims as many elements as there are bytes left.
  const claims = new Uint8Array(5 * 520 + MIB).fill(0);
  for (let level = 0; level < 520; level++) claims.set([0xdd, 0, 0x0f, 0xff, 0xff], level * 5);
  assert(attempt(claims) instanceof LoadError);
  const small = new Uint8Array(3 * 520 + 2048);
  for (let level = 0; level < 520; level++) small.set([0xdc, 4, 0], level * 3);
  assert(attempt(small) instanceof LoadError);
  assert(used() - before < 32 * MIB, `${used() - before} bytes`);
});

Deno.test("loads() refuses any lead byte repeated, without overflowing the stack", () => {
  for (let lead = 0; lead < 256; lead++) {
    for (const length of [2, 600, 100_000]) {
      const value = attempt(new Uint8Array(length).fill(lead));
      assert(length === 2 || value instanceof LoadError, `${lead} x ${length}`);
    }
  }
  // Extensions within extensions.
  let nested: unknown = 1;
  for (let i = 0; i < 512; i++) nested = new Map([[1, nested]]);
  const inner = dumps(nested);
  const whole = new Uint8Array(inner.length + 4 + 2);
  whole.set([0xc8, inner.length + 2 >> 8, inner.length + 2, 4, 0x81, 1]);
  whole.set(inner, 6);
  assertThrows(() => loads(whole), LoadError, "deeper than 512");
});

Deno.test("loads() sets no prototype from any key", () => {
  const inputs = ["81a95f5f70726f746f5f5f81a16101", "81d90" + "95f5f70726f746f5f5f81a16101"];
  const utf16 = [..."__proto__"].map((char) => char.charCodeAt(0).toString(16) + "00").join("");
  inputs.push("81c71201" + utf16 + "81a16101");
  for (let round = 0; round < 3; round++) {
    for (const hex of inputs) {
      const value = loads(bytes(hex)) as Record<string, unknown>;
      assertEquals(Object.keys(value), ["__proto__"]);
      assertEquals(Object.getPrototypeOf(value), Object.prototype);
      assertEquals((value as { a?: number }).a, undefined);
    }
  }
  const error = loads(bytes("c71b0883a46e616d65a0a76d657373616765a0a95f5f70726f746f5f5f80")) as Error;
  assertEquals(Object.getPrototypeOf(error), Error.prototype);
  assertEquals(Object.keys(error), ["__proto__"]);
});

Deno.test("next() fails and goes on after a reset, whatever it was in the middle of", () => {
  const decoder = new Decoder();
  for (const [hex] of GOLDEN_ITEMS) {
    const whole = bytes(hex);
    decoder.reset(whole.subarray(0, whole.length - 1));
    assertThrows(() => decoder.next(), LoadError);
    decoder.reset(bytes("92a16101"));
    assertEquals(decoder.next(), ["a", 1]);
  }
});

Deno.test("loads() gives a value or a LoadError for 200,000 mutations, and what it gives can be sent", () => {
  withSeed((random) => {
    const below = (limit: number): number => Math.floor(random() * limit);
    const seeds = GOLDEN_ITEMS.map(([hex]) => bytes(hex));
    for (let i = 0; i < 400; i++) {
      const seed = dumps(randomValue(random, 0));
      if (seed.length < 400) seeds.push(seed);
    }
    const start = performance.now();
    let values = 0;
    for (let i = 0; i < 200_000; i++) {
      const input = seeds[below(seeds.length)]!.slice();
      for (let changes = 1 + below(3); changes > 0 && input.length > 0; changes--) {
        const at = below(input.length);
        const kind = below(4);
        if (kind === 0) input[at] = below(256);
        else if (kind === 1) input[at]! ^= 1 << below(8);
        else if (kind === 2) input.copyWithin(at, below(input.length), below(input.length + 1));
        else input.set(seeds[below(seeds.length)]!.subarray(0, input.length - at), at);
      }
      const value = attempt(input);
      if (value instanceof LoadError) continue;
      values++;
      if (i % 10 === 0) assertEquals(dumps(loads(dumps(value))), dumps(value));
    }
    assert(values > 10_000, `only ${values} were valid`);
    assert(performance.now() - start < 120_000);
  });
});
