import { assert, assertEquals, assertStringIncludes, assertThrows } from "jsr:@std/assert@^1.0.19";
import { ProtocolError } from "../../channel/errors.ts";
import { FrameType, HEADER_BYTES, makeFrame, MAX_PAYLOAD_BYTES, writeHeader } from "../../channel/frame.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import type { FrameHead } from "../../channel/frame_reader.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, Random, seeds } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";

interface Taken {
  type: number;
  flags: number;
  channel: number;
  payload: string;
}

/** A sink that keeps copies, gives places for some payloads, and checks that its rights are respected. */
class Keeper {
  readonly taken: Taken[] = [];
  readonly reader: FrameReader = new FrameReader(this);
  ownedFrames = 0;
  placedFrames = 0;
  placeCalls = 0;
  readonly #places: (head: FrameHead) => boolean;
  #given: Uint8Array | undefined;
  readonly #ownedBytes: { bytes: Uint8Array; start: number; end: number; copy: string }[] = [];

  constructor(places: (head: FrameHead) => boolean = () => false) {
    this.#places = places;
  }

  frame(head: FrameHead, bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    assert(this.#given === undefined, "a frame before the given place was filled");
    // The header lies just before the payload: a router forwards both as they are.
    assertEquals(bytes[start - HEADER_BYTES], head.type);
    const copy = this.#keep(head, bytes.subarray(start, end));
    if (owned) {
      this.ownedFrames++;
      this.#ownedBytes.push({ bytes, start, end, copy });
    }
  }

  place(head: FrameHead, length: number): Uint8Array | undefined {
    this.placeCalls++;
    if (!this.#places(head)) return undefined;
    return this.#given = new Uint8Array(length);
  }

  placed(head: FrameHead, payload: Uint8Array): void {
    assert(payload === this.#given, "placed another buffer than the one given");
    this.#given = undefined;
    this.placedFrames++;
    this.#keep(head, payload);
  }

  /** Owned bytes must still be what they were after all that came later. */
  checkOwned(): void {
    for (const { bytes, start, end, copy } of this.#ownedBytes) {
      assertEquals(digest(bytes.subarray(start, end)), copy);
    }
  }

  #keep({ type, flags, channel }: FrameHead, bytes: Uint8Array): string {
    const payload = digest(bytes);
    this.taken.push({ type, flags, channel, payload });
    return payload;
  }
}

/** Short and different for different bytes. */
function digest(bytes: Uint8Array): string {
  if (bytes.length <= 32) return bytes.toHex();
  let hash = 0;
  for (const byte of bytes) hash = (Math.imul(hash, 31) + byte) | 0;
  return `${bytes.length}:${hash}`;
}

function fill(reader: FrameReader, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const space = reader.space();
    assert(space.length > 0, "no space");
    const part = bytes.subarray(at, at + space.length);
    space.set(part);
    reader.filled(part.length);
    at += part.length;
  }
}

const random = new Random(7);
const SMALL: Uint8Array[] = [
  makeFrame(FrameType.PING, 0),
  makeFrame(FrameType.REQUEST, 0, new Uint8Array([0x92, 1, 0xc0])),
  makeFrame(FrameType.EXEC, 1, new Uint8Array([0xc0])),
  makeFrame(FrameType.OPEN, 2 ** 48 - 1, new Uint8Array(6)),
  makeFrame(FrameType.DATA, 0x010203040506, random.bytes(100), 3),
  makeFrame(FrameType.CREDIT, 1, new Uint8Array(4)),
  makeFrame(FrameType.CLOSE_WRITE, 1),
  makeFrame(FrameType.CLOSE, 1),
  makeFrame(FrameType.KILL, 1, new Uint8Array([0xc0])),
  makeFrame(FrameType.DONE, 1),
];
const PLACE_FROM_BYTES = 8 * 1024;
const LARGE: Uint8Array[] = [
  makeFrame(FrameType.DATA, 1, random.bytes(PLACE_FROM_BYTES - 1)),
  makeFrame(FrameType.DATA, 3, random.bytes(PLACE_FROM_BYTES), 1),
  makeFrame(FrameType.DATA, 3, random.bytes(MAX_PAYLOAD_BYTES), 1),
  makeFrame(FrameType.CLOSE, 5, random.bytes(70_000)),
];

function expected(frames: readonly Uint8Array[]): Taken[] {
  const keeper = new Keeper();
  for (const frame of frames) keeper.reader.push(frame.slice());
  assertEquals(keeper.taken.length, frames.length);
  return keeper.taken;
}

test("FrameReader.push() gives the same frames for every cut in two", () => {
  const stream = concat(...SMALL);
  const want = expected(SMALL);
  for (let cut = 0; cut <= stream.length; cut++) {
    for (const form of ["push", "fill", "push then fill", "fill then push"]) {
      const keeper = new Keeper();
      const { reader } = keeper;
      const parts = [stream.slice(0, cut), stream.slice(cut)];
      if (form.startsWith("push")) reader.push(parts[0]!);
      else fill(reader, parts[0]!);
      if (form.endsWith("push")) reader.push(parts[1]!);
      else fill(reader, parts[1]!);
      assertEquals(keeper.taken, want, `${form} cut at ${cut}`);
      assert(reader.atBoundary);
      keeper.checkOwned();
    }
  }
});

test("FrameReader.filled() gives the same frames for every cut in three", () => {
  const frames = SMALL.slice(0, 4);
  const stream = concat(...frames);
  const want = expected(frames);
  for (let first = 0; first <= stream.length; first++) {
    for (let second = first; second <= stream.length; second++) {
      const keeper = new Keeper();
      fill(keeper.reader, stream.slice(0, first));
      fill(keeper.reader, stream.slice(first, second));
      fill(keeper.reader, stream.slice(second));
      assertEquals(keeper.taken, want, `cut at ${first} and ${second}`);
    }
  }
});

test("FrameReader gives the same frames for single bytes", () => {
  const frames = [...SMALL, ...LARGE, ...SMALL];
  const stream = concat(...frames);
  const want = expected(frames);
  for (const form of ["push", "fill"] as const) {
    for (const gives of [true, false]) {
      const keeper = new Keeper(() => gives);
      for (let at = 0; at < stream.length; at++) {
        if (form === "push") keeper.reader.push(stream.slice(at, at + 1));
        else fill(keeper.reader, stream.subarray(at, at + 1));
      }
      assertEquals(keeper.taken, want);
      keeper.checkOwned();
    }
  }
});

test("FrameReader gives the same frames for random cuts, forms and places", async () => {
  await forSeeds(seeds(150), (random) => {
    const frames = Array.from(
      { length: random.between(1, 60) },
      () => random.pick(random.chance(0.15) ? LARGE : SMALL),
    );
    const stream = concat(...frames);
    const keeper = new Keeper(() => random.chance(0.5));
    for (let at = 0; at < stream.length;) {
      const size = random.chance(0.5) ? random.between(0, 30) : random.between(0, 100_000);
      const part = stream.slice(at, at + size);
      if (random.chance(0.5)) keeper.reader.push(part);
      else fill(keeper.reader, part);
      at += part.length;
    }
    assertEquals(keeper.taken, expected(frames));
    assert(keeper.reader.atBoundary);
    keeper.checkOwned();
  });
});

test("FrameReader.push() does not copy frames that lie whole in a chunk", () => {
  const keeper = new Keeper();
  const chunk = concat(...SMALL, ...LARGE);
  let same = true;
  const { frame } = keeper;
  keeper.frame = (head, bytes, start, end, owned) => {
    same &&= bytes === chunk && owned;
    frame.call(keeper, head, bytes, start, end, owned);
  };
  keeper.reader.push(chunk);
  assert(same);
  assertEquals(keeper.taken.length, SMALL.length + LARGE.length);
  assertEquals(keeper.placeCalls, 0);
});

test("FrameReader.space() leads right into the place that the sink gave", () => {
  const keeper = new Keeper(() => true);
  const frame = LARGE[2]!;
  fill(keeper.reader, frame.subarray(0, HEADER_BYTES));
  assertEquals(keeper.placeCalls, 1);
  assertEquals(keeper.reader.space().length, MAX_PAYLOAD_BYTES);
  fill(keeper.reader, frame.subarray(HEADER_BYTES, 1000));
  assertEquals(keeper.reader.space().length, MAX_PAYLOAD_BYTES - (1000 - HEADER_BYTES));
  fill(keeper.reader, frame.subarray(1000));
  assertEquals(keeper.placedFrames, 1);
  assertEquals(keeper.taken, expected([frame]));
});

test("FrameReader makes an owned place when the sink gives none", () => {
  const keeper = new Keeper(() => false);
  fill(keeper.reader, concat(...LARGE));
  assertEquals(keeper.taken, expected(LARGE));
  assert(keeper.ownedFrames >= 2);
  keeper.checkOwned();
});

test("FrameReader.atBoundary is false within a frame", () => {
  for (const frame of [SMALL[4]!, LARGE[1]!]) {
    for (const cut of [1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1, frame.length - 1]) {
      for (const gives of [true, false]) {
        const keeper = new Keeper(() => gives);
        assert(keeper.reader.atBoundary);
        fill(keeper.reader, frame.subarray(0, cut));
        assert(!keeper.reader.atBoundary, `cut at ${cut}`);
        fill(keeper.reader, frame.subarray(cut));
        assert(keeper.reader.atBoundary);
      }
    }
  }
});

function header(type: number, channel: number, length: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  writeHeader(bytes, 0, FrameType.PING, 0, channel, length);
  bytes[0] = type;
  return bytes;
}

const REFUSED: readonly [string, Uint8Array, string][] = [
  ["an oversize payload", header(FrameType.DATA, 1, MAX_PAYLOAD_BYTES + 1), "over the limit"],
  ["the largest length", header(FrameType.DATA, 1, 0xffffffff), "over the limit"],
  ["type 0", header(0, 0, 0), "no frame type"],
  ["type 6", header(6, 0, 0), "no frame type"],
  ["type 15", header(15, 0, 0), "no frame type"],
  ["type 25", header(25, 1, 0), "no frame type"],
  ["type 255", header(255, 1, 0), "no frame type"],
  ...[1, 2, 3, 4, 5].map((type): [string, Uint8Array, string] => [
    `connection type ${type} with a channel`,
    header(type, 1, 0),
    "channel id 1",
  ]),
  ...[16, 17, 18, 19, 20, 21, 22, 23].map((type): [string, Uint8Array, string] => [
    `channel type ${type} without a channel`,
    header(type, 0, 0),
    "channel id 0",
  ]),
];

for (const [what, bytes, message] of REFUSED) {
  test(`FrameReader refuses ${what} before it asks for a place`, () => {
    for (const form of ["push", "fill", "drip"]) {
      const keeper = new Keeper(() => true);
      const error = assertThrows(() => {
        if (form === "push") keeper.reader.push(bytes.slice());
        else if (form === "fill") fill(keeper.reader, bytes);
        else for (const byte of bytes) keeper.reader.push(new Uint8Array([byte]));
      }, ProtocolError);
      assertStringIncludes(error.message, message);
      assertEquals(keeper.placeCalls, 0);
      assertEquals(keeper.taken, []);
    }
  });
}

test("FrameReader refuses a bad frame behind good ones, which are given", () => {
  const keeper = new Keeper();
  assertThrows(() => keeper.reader.push(concat(...SMALL, header(99, 0, 0))), ProtocolError);
  assertEquals(keeper.taken, expected(SMALL));
});
