import { assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { FrameError, HEADER_BYTES, Kind, writeHeader } from "../../gateway/socket/frames.ts";
import { Sifter } from "../../gateway/socket/sifter.ts";
import { test } from "../helpers/bounded.ts";
import { Random } from "../helpers/seeded.ts";

function frame(kind: number, payload: Uint8Array | string): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const frame = new Uint8Array(HEADER_BYTES + bytes.length);
  writeHeader(frame, kind, bytes.length);
  frame.set(bytes, HEADER_BYTES);
  return frame;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** What a sifter makes of bytes that come in these pieces. */
function sift(bytes: Uint8Array, cut: (left: number) => number): { data: string; frames: string[] } {
  const frames: string[] = [];
  const text = (part: Uint8Array): string => new TextDecoder().decode(part);
  const sifter = new Sifter((kind, payload) => void frames.push(`${kind}:${text(payload)}`));
  let data = "";
  for (let at = 0; at < bytes.length;) {
    const count = Math.max(1, Math.min(cut(bytes.length - at), bytes.length - at));
    const piece = bytes.slice(at, at + count);
    data += text(piece.subarray(0, sifter.sift(piece)));
    at += count;
  }
  return { data, frames };
}

const STREAM = join([
  frame(Kind.OUTPUT, "first"),
  frame(Kind.DATA, "hello "),
  frame(Kind.DATA, ""),
  frame(Kind.CREDIT, "1234"),
  frame(Kind.DATA, "world"),
  frame(Kind.END, ""),
  frame(Kind.OUTPUT, "last"),
  frame(Kind.EXIT, "x"),
]);
const SIFTED = { data: "hello world", frames: ["9:first", "2:1234", "3:", "9:last", "10:x"] };

test("Sifter takes frames out of data, cut anywhere", () => {
  for (let first = 1; first <= STREAM.length; first++) {
    assertEquals(sift(STREAM, (left) => left === STREAM.length ? first : left), SIFTED, `cut at ${first}`);
  }
  assertEquals(sift(STREAM, () => 1), SIFTED);
});

test("Sifter takes random pieces", () => {
  const seed = Date.now() % 1_000_000;
  const random = new Random(seed);
  for (let round = 0; round < 500; round++) {
    assertEquals(sift(STREAM, () => random.between(1, 12)), SIFTED, `seed ${seed}, round ${round}`);
  }
});

test("Sifter refuses what is too large before there is room for it", () => {
  const header = (kind: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(HEADER_BYTES);
    writeHeader(bytes, kind, length);
    return bytes;
  };
  const huge: [number, number][] = [
    [Kind.START, 0xffffff],
    [Kind.OUTPUT, 64 * 1024 + 1],
    [Kind.EXIT, 1025],
    [Kind.CREDIT, 5],
    [Kind.END, 1],
    [Kind.KILL, 1],
    [0, 1],
    [255, 1],
  ];
  for (const [kind, length] of huge) {
    const sifter = new Sifter(() => {});
    assertThrows(() => sifter.sift(header(kind, length)), FrameError, undefined, `${kind}`);
  }
});

test("Sifter refuses data behind its end", () => {
  const sifter = new Sifter(() => {});
  sifter.sift(frame(Kind.END, ""));
  assertThrows(() => sifter.sift(frame(Kind.DATA, "more")), FrameError);
});
