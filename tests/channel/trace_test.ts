import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { FrameType, makeFrame, MAX_CHANNEL_ID, MAX_PAYLOAD_BYTES } from "../../channel/frame.ts";
import { traceTransport } from "../../channel/trace.ts";
import type { Transport } from "../../channel/transport.ts";
import { settle, test } from "../helpers/bounded.ts";
import { memoryTransports } from "../helpers/memory_transport.ts";
import { forSeeds, Random, seeds } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";

const random = new Random(11);

/** Frames with the lines about them. Some payloads look like headers, none of which may be told. */
const FRAMES: readonly [frame: Uint8Array, line: string][] = [
  [makeFrame(FrameType.PING, 0), "PING bytes=0"],
  [makeFrame(FrameType.PONG, 0), "PONG bytes=0"],
  [makeFrame(FrameType.REQUEST, 0, random.bytes(3)), "REQUEST bytes=3"],
  [makeFrame(FrameType.REPLY, 0, makeFrame(FrameType.DATA, 9, random.bytes(2))), "REPLY bytes=14"],
  [makeFrame(FrameType.EXEC, 1, new Uint8Array([0xc0])), "CHANNEL_EXEC channel=1 bytes=1"],
  [
    makeFrame(FrameType.OPEN, MAX_CHANNEL_ID, new Uint8Array(6)),
    `CHANNEL_OPEN channel=${MAX_CHANNEL_ID} bytes=6`,
  ],
  [makeFrame(FrameType.DATA, 1, random.bytes(42), 3), "CHANNEL_DATA channel=1 bytes=42"],
  [makeFrame(FrameType.CREDIT, 1, new Uint8Array(4)), "CHANNEL_CREDIT channel=1 bytes=4"],
  [makeFrame(FrameType.CLOSE_WRITE, 1), "CHANNEL_CLOSE_WRITE channel=1 bytes=0"],
  [makeFrame(FrameType.CLOSE, 1, random.bytes(12)), "CHANNEL_CLOSE channel=1 bytes=12"],
  [makeFrame(FrameType.KILL, 3, random.bytes(13)), "CHANNEL_KILL channel=3 bytes=13"],
  [makeFrame(FrameType.DONE, 3), "CHANNEL_DONE channel=3 bytes=0"],
  [makeFrame(FrameType.TERMINATE, 0), "TERMINATE bytes=0"],
];
const STREAM = concat(...FRAMES.map(([frame]) => frame));
const linesOf = (direction: string): string[] => FRAMES.map(([, line]) => `gw0 ${direction} ${line}`);

/** A transport that reads the pieces given, and keeps what is written. */
function piecewise(pieces: Uint8Array[] = []): Transport & { written: Uint8Array[] } {
  const written: Uint8Array[] = [];
  return {
    written,
    read(into): Promise<number | null> {
      const piece = pieces.shift();
      if (piece === undefined) return Promise.resolve(null);
      into.set(piece);
      return Promise.resolve(piece.length);
    },
    write(bytes, whole): Promise<void> {
      written.push(bytes.slice());
      if (whole) (bytes.buffer as ArrayBuffer).transfer();
      return Promise.resolve();
    },
    close: () => {},
    abort: () => {},
    writeBudget: 4711,
  };
}

async function readAll(transport: Transport): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(STREAM.length);
  while (true) {
    const count = await transport.read(buffer);
    if (count === null) return concat(...parts);
    parts.push(buffer.slice(0, count));
  }
}

test("traceTransport() tells what is read for every cut in two, and passes the bytes on", async () => {
  for (let cut = 1; cut < STREAM.length; cut++) {
    const lines: string[] = [];
    const pieces = [STREAM.slice(0, cut), STREAM.slice(cut)];
    const transport = traceTransport(piecewise(pieces), "gw0", (some) => lines.push(...some));
    assertEquals(await readAll(transport), STREAM);
    assertEquals(lines, linesOf("received"), `cut at ${cut}`);
  }
});

test("traceTransport() tells what is written for every cut in two, and passes the bytes on", async () => {
  for (let cut = 1; cut < STREAM.length; cut++) {
    for (const whole of [true, false]) {
      const lines: string[] = [];
      const inner = piecewise();
      const transport = traceTransport(inner, "gw0", (some) => lines.push(...some));
      await transport.write(STREAM.slice(0, cut), whole);
      await transport.write(STREAM.slice(cut), whole);
      assertEquals(concat(...inner.written), STREAM);
      assertEquals(lines, linesOf("sent"), `cut at ${cut}`);
    }
  }
});

test("traceTransport() tells the same for single bytes, both ways at once", async () => {
  const lines: string[] = [];
  const pieces = Array.from(STREAM, (byte) => new Uint8Array([byte]));
  const transport = traceTransport(piecewise(pieces), "gw0", (some) => lines.push(...some));
  const buffer = new Uint8Array(8);
  for (const byte of STREAM) {
    await transport.write(new Uint8Array([byte]), true);
    assertEquals(await transport.read(buffer), 1);
  }
  assertEquals(lines.filter((line) => line.includes("sent")), linesOf("sent"));
  assertEquals(lines.filter((line) => line.includes("received")), linesOf("received"));
});

test("traceTransport() tells the same for random cuts, with long payloads too", async () => {
  const long = makeFrame(FrameType.DATA, 5, random.bytes(MAX_PAYLOAD_BYTES), 1);
  await forSeeds(seeds(60), async (random) => {
    const picked = Array.from(
      { length: random.between(1, 40) },
      () =>
        random.chance(0.1)
          ? [long, `CHANNEL_DATA channel=5 bytes=${MAX_PAYLOAD_BYTES}`] as const
          : random.pick(FRAMES),
    );
    const stream = concat(...picked.map(([frame]) => frame));
    const lines: string[] = [];
    const transport = traceTransport(piecewise(), "gw0", (some) => lines.push(...some));
    for (let at = 0; at < stream.length;) {
      const size = random.chance(0.5) ? random.between(0, 30) : random.between(0, 100_000);
      await transport.write(stream.slice(at, at + size), true);
      at += size;
    }
    assertEquals(lines, picked.map(([, line]) => `gw0 sent ${line}`));
  });
});

test("traceTransport() prints the frames of one write at once, and before they are written", async () => {
  const events: string[] = [];
  const inner = piecewise();
  const { write } = inner;
  const transport = traceTransport(
    Object.assign(inner, {
      write: (bytes: Uint8Array, whole: boolean) => {
        events.push("write");
        return write(bytes, whole);
      },
    }),
    "gw0",
    (lines) => events.push(`${lines.length} lines`),
  );
  await transport.write(STREAM.slice(), true);
  await transport.write(STREAM.slice(0, 5), true);
  await transport.write(STREAM.slice(5, 12), true);
  assertEquals(events, [`${FRAMES.length} lines`, "write", "write", "1 lines", "write"]);
});

test("traceTransport() tells what came behind the greeting, and goes on in the middle of a frame", async () => {
  for (let cut = 0; cut <= STREAM.length; cut++) {
    const lines: string[] = [];
    const rest = cut === STREAM.length ? [] : [STREAM.slice(cut)];
    const transport = traceTransport(
      piecewise(rest),
      "gw0",
      (some) => lines.push(...some),
      STREAM.slice(0, cut),
    );
    await readAll(transport);
    assertEquals(lines, linesOf("received"), `cut at ${cut}`);
  }
});

test("traceTransport() passes on messages, the budget, failures and both ways of ending", async () => {
  const [near, far] = memoryTransports({ messages: true, writeBudget: 99 });
  const lines: string[] = [];
  const transport = traceTransport(near, "gw0", (some) => lines.push(...some));
  const got: Uint8Array[] = [];
  let ended = false;
  // As a session does it: without its object.
  const { receiveMessages } = transport;
  receiveMessages!((bytes) => got.push(bytes), () => ended = true);
  far.split(() => 1);
  near.split([7, 1, 30]);
  await far.write(STREAM.slice(), false);
  await settle();
  assertEquals(concat(...got), STREAM);
  assertEquals(lines, linesOf("received"));
  assertEquals(transport.writeBudget, 99);
  transport.close();
  await settle();
  assert(near.closed && ended);
  transport.abort();
  assert(near.aborted);
  let failure: unknown;
  await transport.write(STREAM.slice(0, 12), false).catch((error) => failure = error);
  assert(failure instanceof Error);
  assertEquals(traceTransport(piecewise(), "gw0", () => {}).receiveMessages, undefined);
});

test("traceTransport() tells a header that breaks the protocol as it is", async () => {
  const lines: string[] = [];
  const transport = traceTransport(piecewise(), "gw0", (some) => lines.push(...some));
  const hostile = new Uint8Array(12).fill(0xff);
  await transport.write(hostile, true);
  await transport.write(new Uint8Array(100), true);
  assertEquals(lines, [`gw0 sent UNKNOWN_255 channel=${MAX_CHANNEL_ID} bytes=${2 ** 32 - 1}`]);
});
