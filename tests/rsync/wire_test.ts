import { assert, assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { ProtocolError } from "../../channel/errors.ts";
import { ByteReader, ByteWriter } from "../../rsync/common/wire.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";

/** What the format says of numbers, with integers that have no limit. */
function plainNumber(value: number): number[] {
  const bytes: number[] = [];
  let left = BigInt(value);
  while (left >= 128n) {
    bytes.push(Number(left & 127n) | 128);
    left >>= 7n;
  }
  return [...bytes, Number(left)];
}

/** 0 and every power of two up to 2^53, with their neighbours. */
const NUMBERS: readonly number[] = [...new Set(Array.from({ length: 54 }, (_, i) => 2 ** i).flatMap(around))]
  .filter(Number.isSafeInteger);

function around(value: number): number[] {
  return [value - 1, value, value + 1];
}

/** Bytes of texts around the lengths where the length takes another byte, in code points of one to four bytes each. */
const TEXTS: readonly string[] = ["x", "\u00e4", "\u20ac", "\u{1f600}"].flatMap((one) => {
  const bytes = new TextEncoder().encode(one).length;
  return [0, 1, 126, 127, 128, 129, 1023, 1024, 1025, 16_383, 16_384, 16_385].flatMap((length) => {
    const text = one.repeat(Math.floor(length / bytes));
    return [text, `${text}x`];
  });
});

/** One of everything, and what it was made of. */
function golden(): Uint8Array<ArrayBuffer>[] {
  return [
    new ByteWriter().byte(255).take(),
    new ByteWriter().number(Number.MAX_SAFE_INTEGER).take(),
    new ByteWriter().signed(-Number.MAX_SAFE_INTEGER).take(),
    new ByteWriter().text("name \u{1f600}").take(),
    new ByteWriter().text("x".repeat(200)).take(),
    new ByteWriter().bytes(new Uint8Array(130)).take(),
    new ByteWriter().byte(5).text("file").number(0o644).signed(1_600_000_000_000).number(12).take(),
  ];
}

/** Reads golden message `i`. */
function readGolden(i: number, reader: ByteReader): void {
  const reads: readonly (() => unknown)[] = [
    () => reader.byte(),
    () => reader.number(),
    () => reader.signed(),
    () => reader.text(),
    () => reader.text(),
    () => reader.bytes(),
    () => [reader.byte(), reader.text(), reader.number(), reader.signed(), reader.number()],
  ];
  reads[i]!();
}

test("ByteWriter.number() writes what a plain twin writes, and ByteReader.number() reads it", () => {
  for (const value of NUMBERS) {
    const bytes = new ByteWriter().number(value).take();
    assertEquals([...bytes], plainNumber(value), String(value));
    const reader = new ByteReader(bytes);
    assertEquals(reader.number(), value);
    assert(reader.done);
  }
});

test("ByteWriter.number() refuses what is no whole number up to 2^53 - 1", () => {
  for (const value of [-1, 0.5, NaN, Infinity, -Infinity, 2 ** 53, 2 ** 60]) {
    assertThrows(() => new ByteWriter().number(value), RangeError, `Cannot write ${value}`);
  }
});

test("ByteReader.number() refuses numbers beyond 2^53 - 1", () => {
  const tooLarge = [
    plainNumber(2 ** 53),
    plainNumber(2 ** 53 + 2),
    plainNumber(2 ** 55),
    [255, 255, 255, 255, 255, 255, 255, 127],
    Array.from({ length: 8 }, () => 128),
    Array.from({ length: 20 }, () => 255),
  ];
  for (const bytes of tooLarge) {
    assertThrows(() => new ByteReader(Uint8Array.from(bytes)).number(), ProtocolError, "too large");
  }
});

test("ByteWriter.signed() and ByteReader.signed() are the inverse of one another", () => {
  for (const value of NUMBERS.flatMap((one) => [one, -one])) {
    const reader = new ByteReader(new ByteWriter().signed(value).take());
    assertEquals(reader.signed() + 0, value + 0);
    assert(reader.done);
  }
});

test("ByteWriter.text() writes UTF-8 with its length, whatever that is", () => {
  for (const text of TEXTS) {
    const bytes = new ByteWriter().byte(7).text(text).byte(9).take();
    const utf8 = new TextEncoder().encode(text);
    assertEquals([...bytes], [7, ...plainNumber(utf8.length), ...utf8, 9], `${utf8.length} bytes`);
    const reader = new ByteReader(bytes);
    reader.byte();
    assertEquals(reader.text(), text);
    assertEquals(reader.byte(), 9);
  }
});

test("ByteWriter.text() writes lone surrogates as U+FFFD", () => {
  for (const lone of ["\ud83d", "\ude00", "a\ud83d", "\ude00\ud83d", "\ud83dx".repeat(64)]) {
    const reader = new ByteReader(new ByteWriter().text(lone).take());
    assertEquals(reader.text(), lone.toWellFormed());
  }
});

test("ByteReader.text() keeps a byte order mark and NUL", () => {
  const text = "\ufeffa\0b";
  assertEquals(new ByteReader(new ByteWriter().text(text).take()).text(), text);
});

test("ByteReader.text() refuses what is not UTF-8", () => {
  const bad = [[0xff], [0x80], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [
    0xf5,
    0x80,
    0x80,
    0x80,
  ]];
  for (const bytes of bad) {
    const message = new ByteWriter().bytes(Uint8Array.from(bytes)).take();
    assertThrows(() => new ByteReader(message).text(), ProtocolError, "not UTF-8");
  }
});

test("ByteReader refuses every truncation of every golden message", () => {
  for (const [i, message] of golden().entries()) {
    readGolden(i, new ByteReader(message));
    for (let length = 0; length < message.length; length++) {
      const cut = message.slice(0, length);
      assertThrows(() => readGolden(i, new ByteReader(cut)), ProtocolError, "cut short");
    }
  }
});

test("ByteReader.raw() refuses lengths beyond the message, however large", () => {
  for (const length of [4, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const reader = new ByteReader(new Uint8Array(3));
    assertThrows(() => reader.raw(length), ProtocolError, "cut short");
    assertEquals(reader.rest().length, 3, "what is refused is not taken");
    const long = new ByteWriter().number(length).raw(new Uint8Array(3)).take();
    assertThrows(() => new ByteReader(long).bytes(), ProtocolError, "cut short");
    assertThrows(() => new ByteReader(long).text(), ProtocolError, "cut short");
  }
});

test("ByteReader refuses what is not bytes", () => {
  for (
    const item of [
      null,
      undefined,
      1,
      "text",
      [1, 2],
      {},
      new ArrayBuffer(4),
      new DataView(new ArrayBuffer(4)),
    ]
  ) {
    assertThrows(() => new ByteReader(item), ProtocolError, "not bytes");
  }
});

test("ByteReader.bytes() and rest() are views of the message", () => {
  const message = new ByteWriter().bytes(Uint8Array.of(1, 2, 3)).raw(Uint8Array.of(4, 5)).take();
  const reader = new ByteReader(message);
  const bytes = reader.bytes();
  assertEquals(bytes.buffer, message.buffer);
  assertEquals([...bytes], [1, 2, 3]);
  assert(!reader.done);
  assertEquals([...reader.rest()], [4, 5]);
  assert(reader.done);
  assertEquals(reader.rest().length, 0);
});

test("ByteWriter.take() gives bytes of their own, and begins anew", () => {
  const writer = new ByteWriter().byte(1);
  const view = writer.view;
  const taken = writer.take();
  writer.byte(2);
  assertEquals([...taken], [1]);
  assertEquals([...view], [2], "a view is valid until more is written");
  assertEquals(writer.length, 1);
  writer.clear();
  assertEquals(writer.view.length, 0);
});

test("ByteReader reads what ByteWriter wrote when everything is random", async () => {
  await forSeeds(seeds(100), (random) => {
    const writer = new ByteWriter();
    const checks: ((reader: ByteReader) => void)[] = [];
    for (let i = random.between(1, 40); i > 0; i--) {
      const number = Math.floor(2 ** (random.next() * 53));
      const bytes = random.bytes(random.below(random.chance(0.1) ? 5000 : 200));
      const text = Array.from({ length: random.below(200) }, () => String.fromCodePoint(random.below(0xd800)))
        .join("");
      const [write, check] = random.pick<[() => unknown, (reader: ByteReader) => void]>([
        [() => writer.byte(number % 256), (reader) => assertEquals(reader.byte(), number % 256)],
        [() => writer.number(number), (reader) => assertEquals(reader.number(), number)],
        [() => writer.signed(-number), (reader) => assertEquals(reader.signed() + 0, -number + 0)],
        [() => writer.text(text), (reader) => assertEquals(reader.text(), text)],
        [() => writer.bytes(bytes), (reader) => assertEquals(reader.bytes(), bytes)],
        [() => writer.raw(bytes), (reader) => assertEquals(reader.raw(bytes.length), bytes)],
      ]);
      write();
      checks.push(check);
    }
    const reader = new ByteReader(writer.take());
    for (const check of checks) check(reader);
    assert(reader.done);
  });
});
