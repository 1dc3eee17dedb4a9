import { assert, assertEquals, assertFalse } from "jsr:@std/assert@^1.0.19";
import {
  EMPTY,
  frameBytes,
  FrameType,
  HEADER_BYTES,
  isChannelFrame,
  isFrameType,
  makeFrame,
  MAX_CHANNEL_ID,
  readUint32,
  readUint48,
  writeHeader,
  writeUint32,
  writeUint48,
} from "../../channel/frame.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";

const hex = (bytes: Uint8Array): string => bytes.toHex();

/** Frozen: a change of one of these is a new protocol version. */
const GOLDEN: readonly [keyof typeof FrameType, number, number, number[], string][] = [
  ["PING", 0, 0, [], "010000000000000000000000"],
  ["PONG", 0, 0, [], "020000000000000000000000"],
  ["REQUEST", 0, 0, [0x92, 1, 0xc0], "0300000000000000000000039201c0"],
  ["REPLY", 0, 0, [0x92, 1, 0xc0], "0400000000000000000000039201c0"],
  ["TERMINATE", 0, 0, [], "050000000000000000000000"],
  ["EXEC", 0, 1, [0xc0], "100000000000000100000001c0"],
  ["OPEN", 0, 4, [0, 0, 0, 0, 0, 1], "110000000000000400000006000000000001"],
  ["DATA", 0, 1, [0x2a], "1200000000000001000000012a"],
  ["DATA", 3, 1, [0, 0, 0, 1, 0, 0], "120300000000000100000006000000010000"],
  ["DATA", 5, 0x010203040506, [7], "12050102030405060000000107"],
  ["CREDIT", 0, 1, [0, 8, 0, 0], "13000000000000010000000400080000"],
  ["CLOSE_WRITE", 0, 1, [], "140000000000000100000000"],
  ["CLOSE", 0, 1, [], "150000000000000100000000"],
  ["KILL", 0, 0xffffffffffff, [0xc0], "1600ffffffffffff00000001c0"],
  ["DONE", 0, 1, [], "170000000000000100000000"],
  ["BYPASS", 0, 1, [7], "18000000000000010000000107"],
];

test("makeFrame() writes the golden bytes of every type", () => {
  for (const [name, flags, channel, payload, golden] of GOLDEN) {
    assertEquals(hex(makeFrame(FrameType[name], channel, new Uint8Array(payload), flags)), golden, name);
  }
  assertEquals(new Set(GOLDEN.map(([name]) => name)).size, Object.keys(FrameType).length);
});

test("makeFrame() writes an empty payload and no flags when none are given", () => {
  assertEquals(hex(makeFrame(FrameType.PING, 0)), "010000000000000000000000");
  assertEquals(EMPTY.length, 0);
});

test("writeHeader() writes at its offset and nothing else", () => {
  const into = new Uint8Array(HEADER_BYTES + 6).fill(0xaa);
  writeHeader(into, 3, FrameType.DATA, 0xff, 0x0a0b0c0d0e0f, 0xf1f2f3f4);
  assertEquals(hex(into), "aaaaaa12ff0a0b0c0d0e0ff1f2f3f4aaaaaa");
});

test("writeUint48() and readUint48() agree on all of 48 bits", async () => {
  const bytes = new Uint8Array(10);
  const check = (value: number) => {
    writeUint48(bytes, 2, value);
    assertEquals(readUint48(bytes, 2), value);
    assertEquals(hex(bytes.subarray(2, 8)), value.toString(16).padStart(12, "0"));
  };
  for (let bit = 0; bit <= 48; bit++) {
    for (const near of [-1, 0, 1]) {
      const value = 2 ** bit + near;
      if (value >= 0 && value <= MAX_CHANNEL_ID) check(value);
    }
  }
  await forSeeds([1], (random) => {
    for (let i = 0; i < 10_000; i++) check(Math.floor(random.next() * 2 ** random.between(0, 48)));
  });
  assertEquals(MAX_CHANNEL_ID, 281474976710655);
});

test("writeUint32() and readUint32() agree on all of 32 bits", async () => {
  const bytes = new Uint8Array(6);
  await forSeeds(seeds(3), (random) => {
    for (let i = 0; i < 5_000; i++) {
      const value = Math.floor(random.next() * 2 ** random.between(0, 32));
      writeUint32(bytes, 1, value);
      assertEquals(readUint32(bytes, 1), value);
    }
  });
  writeUint32(bytes, 1, 0xffffffff);
  assertEquals(readUint32(bytes, 1), 0xffffffff);
});

test("frameBytes() is the header and its payload", () => {
  const frames = new Uint8Array(40);
  writeHeader(frames, 5, FrameType.DATA, 0, 1, 0x80000001);
  assertEquals(frameBytes(frames, 5), HEADER_BYTES + 0x80000001);
});

test("isFrameType() knows exactly the listed types", () => {
  const known: number[] = Object.values(FrameType);
  for (let type = 0; type < 300; type++) assertEquals(isFrameType(type), known.includes(type));
});

test("isChannelFrame() tells channels' frames from the connection's", () => {
  for (const type of [1, 2, 3, 4, 5]) assertFalse(isChannelFrame(type));
  for (const type of [16, 17, 18, 19, 20, 21, 22, 23]) assert(isChannelFrame(type));
});
