import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { DataFlag, frameBytes, FrameType, HEADER_BYTES, makeFrame, readUint48 } from "../../channel/frame.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import {
  BACKLOG_BYTES,
  BufferPool,
  fragmentItem,
  Outbox,
  PACK_BYTES,
  TOTAL_BYTES,
} from "../../channel/outbox.ts";
import { FRAME_COST_BYTES } from "../../channel/window.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import { forSeeds, Random, seeds } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";

interface Frame {
  type: number;
  flags: number;
  channel: number;
  payload: Uint8Array;
}

function parse(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader({
    frame: ({ type, flags, channel }, from, start, end) =>
      frames.push({ type, flags, channel, payload: from.slice(start, end) }),
    place: () => undefined,
    placed: () => {},
  });
  reader.push(bytes.slice());
  assert(reader.atBoundary, "cut within a frame");
  return frames;
}

function drain(outbox: Outbox, budget: number): Uint8Array {
  const parts: Uint8Array[] = [];
  while (!outbox.empty) parts.push(outbox.take(budget).slice());
  return concat(...parts);
}

test("Outbox.appendItem() packs small items into one frame", () => {
  const outbox = new Outbox(5, new BufferPool());
  assertEquals(outbox.appendItem(new Uint8Array([1])), 1 + FRAME_COST_BYTES);
  assertEquals(outbox.appendItem(new Uint8Array([2, 3])), 2);
  assertEquals(outbox.appendItem(new Uint8Array([4])), 1);
  assertEquals(outbox.bytes, HEADER_BYTES + 4);
  assertEquals(outbox.nextBytes, HEADER_BYTES + 4);
  assertEquals(outbox.take(1).toHex(), "120000000000000500000004" + "01020304");
  assert(outbox.empty);
  assertEquals(outbox.bytes, 0);
  assertEquals(outbox.nextBytes, 0);
});

test("Outbox.appendItem() opens a new frame once the last has been taken", () => {
  const outbox = new Outbox(1, new BufferPool());
  outbox.appendItem(new Uint8Array([1]));
  outbox.take(1000);
  assertEquals(outbox.appendItem(new Uint8Array([2])), 1 + FRAME_COST_BYTES);
  assertEquals(parse(outbox.take(1000)).map((frame) => [...frame.payload]), [[2]]);
});

test("Outbox.appendItem() does not pack beyond the limit, nor behind a closing frame", () => {
  const outbox = new Outbox(1, new BufferPool());
  outbox.appendItem(new Uint8Array(PACK_BYTES));
  assertEquals(outbox.appendItem(new Uint8Array(1)), 1 + FRAME_COST_BYTES);
  const close = makeFrame(FrameType.CLOSE_WRITE, 1);
  outbox.appendFrames(close, 0, close.length);
  outbox.appendItem(new Uint8Array(2));
  assertEquals(parse(drain(outbox, 1e9)).map((frame) => [frame.type, frame.payload.length]), [
    [FrameType.DATA, PACK_BYTES],
    [FrameType.DATA, 1],
    [FrameType.CLOSE_WRITE, 0],
    [FrameType.DATA, 2],
  ]);
});

test("Outbox keeps every byte in order and charges what the frames cost, on random walks", async () => {
  await forSeeds(seeds(120), (random) => {
    const outbox = new Outbox(9, new BufferPool());
    const sent: Uint8Array[] = [];
    const taken: Uint8Array[] = [];
    let charged = 0;
    let closing = 0;
    for (let step = random.between(1, 400); step > 0; step--) {
      if (random.chance(0.7)) {
        const item = random.bytes(random.chance(0.1) ? random.between(1, PACK_BYTES) : random.between(1, 40));
        sent.push(item);
        charged += outbox.appendItem(item);
      } else if (random.chance(0.1)) {
        const frame = makeFrame(FrameType.CLOSE_WRITE, 9);
        outbox.appendFrames(frame, 0, frame.length);
        closing++;
      } else if (!outbox.empty) {
        const before = outbox.bytes;
        const next = outbox.nextBytes;
        const budget = random.pick([1, 100, 5_000, 20_000, 1e9]);
        const part = outbox.take(budget);
        assert(part.length <= next && part.length > 0);
        assert(part.length <= budget || part.length === frameBytes(part, 0));
        assertEquals(outbox.bytes, before - part.length);
        taken.push(part.slice());
      }
    }
    taken.push(drain(outbox, 10_000));
    const frames = parse(concat(...taken));
    const data = frames.filter((frame) => frame.type === FrameType.DATA);
    assertEquals(frames.length - data.length, closing);
    assertEquals(concat(...data.map((frame) => frame.payload)), concat(...sent));
    assert(data.every((frame) => frame.payload.length <= PACK_BYTES && frame.channel === 9));
    assertEquals(charged, data.reduce((sum, frame) => sum + frame.payload.length + FRAME_COST_BYTES, 0));
    assertEquals(outbox.bytes, 0);
  });
});

test("Outbox.take() cuts at frames and takes one frame beyond its budget", () => {
  const run = fragmentItem(1, new Uint8Array(1000), false, 100);
  const outbox = new Outbox(1, new BufferPool());
  outbox.appendFrames(run, 0, run.length);
  const first = HEADER_BYTES + TOTAL_BYTES;
  assertEquals(outbox.take(1).length, first);
  assertEquals(outbox.take(112).length, 112);
  assertEquals(outbox.take(223).length, 112);
  assertEquals(outbox.take(224).length, 224);
  assertEquals(outbox.take(1e9).length, 6 * 112);
  assert(outbox.empty);
});

test("Outbox.take() gives a whole buffer only when all of it is taken", () => {
  const run = fragmentItem(1, new Uint8Array(1000), false, 100);
  const outbox = new Outbox(1, new BufferPool());
  outbox.appendFrames(run, 0, run.length);
  assert(outbox.take(1e9) === run);
  outbox.appendFrames(run, 0, 130);
  const part = outbox.take(1e9);
  assert(part.length < part.buffer.byteLength);
});

test("Outbox.appendFrames() joins what continues in the same buffer", () => {
  const run = fragmentItem(1, new Uint8Array(300), true, 100);
  const outbox = new Outbox(1, new BufferPool());
  outbox.appendFrames(run, 0, 130);
  outbox.appendFrames(run, 130, run.length);
  assertEquals(outbox.nextBytes, run.length);
  assert(outbox.take(1e9) === run);
});

test("Outbox.clear() forgets everything and lets the sender go on", async () => {
  const outbox = new Outbox(1, new BufferPool());
  for (let i = 0; i < 10; i++) outbox.appendItem(new Uint8Array(PACK_BYTES));
  const drained = watch(outbox.drained());
  await settle();
  assertEquals(drained.state, "pending");
  outbox.clear();
  await settle();
  assertEquals(drained.state, "resolved");
  assert(outbox.empty);
  assertEquals(outbox.bytes, 0);
});

test("Outbox.drained() resolves once little enough waits", async () => {
  const outbox = new Outbox(1, new BufferPool());
  while (outbox.bytes < 2 * BACKLOG_BYTES) outbox.appendItem(new Uint8Array(PACK_BYTES));
  const drained = watch(outbox.drained());
  while (outbox.bytes >= BACKLOG_BYTES) {
    await settle();
    assertEquals(drained.state, "pending");
    outbox.take(1);
  }
  await settle();
  assertEquals(drained.state, "resolved");
});

test("Outbox fills a buffer again once it has been written, and not before", () => {
  const outbox = new Outbox(1, new BufferPool());
  const item = new Uint8Array(PACK_BYTES / 2);
  const fillSome = () => {
    for (let i = 0; i < 12; i++) outbox.appendItem(item);
  };
  fillSome();
  while (outbox.bytes > 0) {
    outbox.take(1e9);
    outbox.written();
  }
  outbox.appendItem(item.fill(1));
  const first = outbox.take(1e9);
  const copy = first.slice();
  // Still being written: what comes now must lie elsewhere.
  item.fill(2);
  fillSome();
  assertEquals(first, copy);
  const seen = new Set([first.buffer]);
  outbox.written();
  while (!outbox.empty) {
    seen.add(outbox.take(1e9).buffer);
    outbox.written();
  }
  for (let round = 0; round < 5; round++) {
    fillSome();
    while (!outbox.empty) {
      seen.add(outbox.take(1e9).buffer);
      outbox.written();
    }
  }
  assert(seen.size <= 9, `${seen.size} buffers`);
  for (const buffer of seen) assert(buffer.byteLength <= 64 * 1024);
});

test("BufferPool never gives out a buffer that has been transferred", () => {
  const pool = new BufferPool();
  const buffer = pool.take();
  (buffer.buffer as ArrayBuffer).transfer();
  pool.give(buffer);
  assertEquals(pool.take().length, 64 * 1024);
});

test("fragmentItem() lays out a FIRST frame with the length, then the parts", () => {
  const item = new Random(3).bytes(250);
  for (const raw of [true, false]) {
    const kind = raw ? DataFlag.RAW : 0;
    const frames = parse(fragmentItem(7, item, raw, 100));
    assertEquals(frames.map((frame) => [frame.type, frame.flags, frame.channel, frame.payload.length]), [
      [FrameType.DATA, DataFlag.FRAGMENT | DataFlag.FIRST | kind, 7, TOTAL_BYTES],
      [FrameType.DATA, DataFlag.FRAGMENT | kind, 7, 100],
      [FrameType.DATA, DataFlag.FRAGMENT | kind, 7, 100],
      [FrameType.DATA, DataFlag.FRAGMENT | kind, 7, 50],
    ]);
    assertEquals(readUint48(frames[0]!.payload, 0), 250);
    assertEquals(concat(...frames.slice(1).map((frame) => frame.payload)), item);
  }
});

test("fragmentItem() makes whole parts only where the length divides, and copies", () => {
  const item = new Uint8Array(200).fill(1);
  const run = fragmentItem(7, item, false, 100);
  item.fill(9);
  const frames = parse(run);
  assertEquals(frames.map((frame) => frame.payload.length), [TOTAL_BYTES, 100, 100]);
  assert(frames[1]!.payload.every((byte) => byte === 1));
  assertEquals(parse(fragmentItem(7, item, false, 1000)).map((frame) => frame.payload.length), [
    TOTAL_BYTES,
    200,
  ]);
});
