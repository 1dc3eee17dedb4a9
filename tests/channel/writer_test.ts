import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { FrameType, HEADER_BYTES, makeFrame } from "../../channel/frame.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import { BufferPool, fragmentItem, Outbox } from "../../channel/outbox.ts";
import { Writer } from "../../channel/writer.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import { Pair } from "../helpers/sessions.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";

interface Seen {
  type: number;
  channel: number;
  payload: Uint8Array;
}

/** A place to write to that goes on only when it is told. */
class Sink {
  readonly writes: number[] = [];
  readonly frames: Seen[] = [];
  readonly errors: unknown[] = [];
  readonly writer: Writer;
  manual = false;
  /** Rejects the next write. */
  fault: unknown;
  #release: (() => void) | undefined;
  readonly #reader = new FrameReader({
    frame: ({ type, channel }, bytes, start, end) =>
      this.frames.push({ type, channel, payload: bytes.slice(start, end) }),
    place: () => undefined,
    placed: () => {},
  });

  constructor(budget = 64 * 1024) {
    this.writer = new Writer((bytes, whole) => this.#write(bytes, whole), budget, (reason) => {
      this.errors.push(reason);
      this.writer.stop();
    });
  }

  /** Lets the write under way end. */
  async step(): Promise<void> {
    this.#release?.();
    this.#release = undefined;
    await settle();
  }

  async #write(bytes: Uint8Array, whole: boolean): Promise<void> {
    assert(bytes.length > 0, "an empty write");
    assert(!whole || bytes.length === bytes.buffer.byteLength);
    this.writes.push(bytes.length);
    if (this.manual) await new Promise<void>((resolve) => this.#release = resolve);
    if (this.fault !== undefined) throw this.fault;
    // Only now: a writer that touched its bytes meanwhile would be found out.
    this.#reader.push(bytes.slice());
  }
}

function outboxOf(channel: number, ...items: Uint8Array[]): Outbox {
  const outbox = new Outbox(channel, new BufferPool());
  for (const item of items) outbox.appendItem(item);
  return outbox;
}

function large(channel: number, length: number, part = 64 * 1024): Outbox {
  const outbox = new Outbox(channel, new BufferPool());
  const run = fragmentItem(channel, new Uint8Array(length), true, part);
  outbox.appendFrames(run, 0, run.length);
  return outbox;
}

test("Writer writes a lone frame at once and alone", async () => {
  const sink = new Sink();
  sink.writer.ready(outboxOf(1, new Uint8Array([1])));
  await Promise.resolve();
  assertEquals(sink.writes, [HEADER_BYTES + 1]);
  await sink.writer.idle();
  sink.writer.control(makeFrame(FrameType.PING, 0));
  await Promise.resolve();
  assertEquals(sink.writes, [HEADER_BYTES + 1, HEADER_BYTES]);
  await sink.writer.idle();
});

test("Writer gathers a burst of small frames of many channels into few writes", async () => {
  const sink = new Sink();
  for (let channel = 1; channel <= 1000; channel++) {
    sink.writer.ready(outboxOf(channel, new Uint8Array(30)));
    sink.writer.control(makeFrame(FrameType.CREDIT, channel, new Uint8Array(4)));
  }
  await sink.writer.idle();
  assertEquals(sink.frames.length, 2000);
  const bytes = 1000 * (HEADER_BYTES + 30) + 1000 * (HEADER_BYTES + 4);
  assert(sink.writes.length <= Math.ceil(bytes / (64 * 1024)) + 1, `${sink.writes.length} writes`);
});

test("Writer puts what comes during a write into the next one", async () => {
  const sink = new Sink();
  sink.manual = true;
  sink.writer.control(makeFrame(FrameType.PING, 0));
  await settle();
  for (let i = 0; i < 500; i++) sink.writer.control(makeFrame(FrameType.PONG, 0));
  await settle();
  assertEquals(sink.writes, [HEADER_BYTES]);
  await sink.step();
  assertEquals(sink.writes, [HEADER_BYTES, 500 * HEADER_BYTES]);
  await sink.step();
});

test("Writer.control() goes before everything that channels have queued", async () => {
  const sink = new Sink();
  sink.manual = true;
  sink.writer.ready(large(1, 512 * 1024));
  await settle();
  sink.writer.ready(outboxOf(3, new Uint8Array(10)));
  sink.writer.control(makeFrame(FrameType.PING, 0));
  while (!sink.frames.some((frame) => frame.channel === 3)) await sink.step();
  const types = sink.frames.map((frame) => frame.type);
  assert(types.indexOf(FrameType.PING) < sink.frames.findIndex((frame) => frame.channel === 3));
  sink.manual = false;
  await sink.step();
});

test("Writer.control() keeps the order of control frames, large ones too", async () => {
  const sink = new Sink();
  const sizes = [4, 70_000, 0, 200_000, 65_524, 65_525, 4, 4, 100_000, 131_072];
  for (const [i, size] of sizes.entries()) {
    sink.writer.control(makeFrame(FrameType.CLOSE, i + 1, new Uint8Array(size)));
  }
  sink.writer.ready(outboxOf(99, new Uint8Array(5)));
  await sink.writer.idle();
  assertEquals(sink.frames.map((frame) => [frame.channel, frame.payload.length]), [
    ...sizes.map((size, i) => [i + 1, size]),
    [99, 5],
  ]);
});

test("Writer is fair: a large channel delays a small frame by one budget at the most", async () => {
  const budget = 64 * 1024;
  for (const part of [16 * 1024, 64 * 1024 - 12]) {
    const sink = new Sink(budget);
    sink.manual = true;
    const bulk = large(1, 1024 * 1024, part);
    sink.writer.ready(bulk);
    await settle();
    sink.writer.ready(outboxOf(3, new Uint8Array(10)));
    let before = 0;
    while (!sink.frames.some((frame) => frame.channel === 3)) {
      before = sink.writes.reduce((sum, size) => sum + size, 0);
      await sink.step();
    }
    // The write under way, one turn of the large channel, and the write with the small frame itself.
    assert(before <= 3 * (budget + HEADER_BYTES), `${before} bytes went before`);
    sink.manual = false;
    await sink.step();
    await sink.writer.idle();
    assertEquals(sink.frames.filter((frame) => frame.channel === 1).length, Math.ceil(2 ** 20 / part) + 1);
  }
});

test("Writer takes large channels in turns", async () => {
  const sink = new Sink(64 * 1024);
  for (const channel of [1, 3, 5]) sink.writer.ready(large(channel, 256 * 1024, 64 * 1024 - 12));
  await sink.writer.idle();
  const parts = sink.frames.filter((frame) => frame.payload.length > 1000).map((frame) => frame.channel);
  for (let i = 0; i + 3 <= 12; i += 3) {
    assertEquals(new Set(parts.slice(i, i + 3)).size, 3, `turns: ${parts}`);
  }
});

test("Writer.ready() queues a channel once", async () => {
  const sink = new Sink();
  const outbox = outboxOf(1, new Uint8Array([1]));
  sink.writer.ready(outbox);
  sink.writer.ready(outbox);
  assert(outbox.queued);
  await sink.writer.idle();
  assert(!outbox.queued);
  assertEquals(sink.frames.length, 1);
  sink.writer.ready(outbox);
  assert(!outbox.queued, "an empty outbox waits in line");
});

test("Writer goes on when a queued channel has been cleared", async () => {
  const sink = new Sink();
  const gone = large(1, 100_000);
  sink.writer.ready(gone);
  gone.clear();
  sink.writer.ready(outboxOf(3, new Uint8Array([1])));
  await sink.writer.idle();
  assertEquals(sink.frames.map((frame) => frame.channel), [3]);
  assert(!gone.queued);
});

test("Writer reports a failed write once and writes nothing more", async () => {
  const sink = new Sink();
  sink.fault = new Error("broken pipe");
  const outbox = outboxOf(1, new Uint8Array([1]));
  sink.writer.ready(outbox);
  sink.writer.control(makeFrame(FrameType.PING, 0));
  await sink.writer.idle();
  await settle();
  assertEquals(sink.errors, [sink.fault]);
  assertEquals(sink.writes.length, 1);
  sink.writer.control(makeFrame(FrameType.PING, 0));
  sink.writer.ready(outboxOf(3, new Uint8Array([1])));
  await settle();
  assertEquals(sink.writes.length, 1);
  await sink.writer.idle();
});

test("Writer.stop() forgets what waits, frees its senders and ends idle()", async () => {
  const sink = new Sink();
  sink.manual = true;
  const outbox = large(1, 512 * 1024);
  sink.writer.ready(outbox);
  await settle();
  const idle = watch(sink.writer.idle());
  const drained = watch(outbox.drained());
  await settle();
  assertEquals([idle.state, drained.state], ["pending", "pending"]);
  sink.writer.stop();
  await settle();
  assertEquals([idle.state, drained.state], ["resolved", "resolved"]);
  assertEquals(outbox.bytes, 0);
  sink.fault = new Error("aborted");
  await sink.step();
  assertEquals(sink.errors, [], "an error after stop() was reported");
  assertEquals(sink.writes.length, 1);
});

test("Writer.idle() resolves at once when nothing waits", async () => {
  const sink = new Sink();
  const idle = watch(sink.writer.idle());
  await Promise.resolve();
  assertEquals(idle.state, "resolved");
});

test("Writer sends everything once and each channel in order, on random walks", async () => {
  await forSeeds(seeds(40), async (random) => {
    const sink = new Sink(random.pick([16_384, 65_536, Infinity]));
    sink.manual = true;
    const outboxes = [1, 3, 5, 7].map((id) => new Outbox(id, new BufferPool()));
    const sent = new Map<number, number[]>(outboxes.map(({ channel }) => [channel, []]));
    let next = 0;
    let controls = 0;
    for (let step = 0; step < 120; step++) {
      const outbox = random.pick(outboxes);
      const what = random.below(10);
      if (what < 6) {
        for (let n = random.between(1, 20); n > 0; n--) {
          const value = ++next;
          const item = new Uint8Array(4 + random.below(random.chance(0.1) ? 16_000 : 40));
          new DataView(item.buffer).setUint32(0, value);
          outbox.appendItem(item);
          // A closing frame, so that the next item begins a frame and can be recognised.
          const end = makeFrame(FrameType.CLOSE_WRITE, outbox.channel);
          outbox.appendFrames(end, 0, end.length);
          sent.get(outbox.channel)!.push(value);
        }
        sink.writer.ready(outbox);
      } else if (what < 8) {
        sink.writer.control(makeFrame(FrameType.PING, 0));
        controls++;
      } else await sink.step();
    }
    sink.manual = false;
    await sink.step();
    await sink.writer.idle();
    for (const [channel, values] of sent) {
      const got = sink.frames
        .filter((frame) => frame.channel === channel && frame.type === FrameType.DATA)
        .map(({ payload }) => new DataView(payload.buffer).getUint32(0));
      assertEquals(got, values);
    }
    assertEquals(sink.frames.filter((frame) => frame.type === FrameType.PING).length, controls);
  });
});

test("Writer does not let a buffer be filled again while it is being written", async () => {
  const sink = new Sink(Infinity);
  sink.manual = true;
  const outbox = new Outbox(1, sink.writer.pool);
  let next = 0;
  const burst = (): void => {
    for (let i = 0; i < 3_000; i++) {
      const item = new Uint8Array(40);
      new DataView(item.buffer).setUint32(0, next++);
      outbox.appendItem(item);
    }
    sink.writer.ready(outbox);
  };
  for (let round = 0; round < 20; round++) {
    burst();
    await settle();
    burst();
    await sink.step();
  }
  sink.manual = false;
  await sink.step();
  await sink.writer.idle();
  let seen = 0;
  for (const { payload } of sink.frames) {
    const view = new DataView(payload.buffer, payload.byteOffset);
    for (let at = 0; at < payload.length; at += 40) assertEquals(view.getUint32(at), seen++);
  }
  assertEquals(seen, next);
});

test("Writer has handed over what was sent before its sender goes on, but for streams", async () => {
  const pair = new Pair();
  const { near, far } = await pair.open();
  const bytes = { sent: 0 };
  const write = pair.localTransport.write.bind(pair.localTransport);
  pair.localTransport.write = (part, whole) => {
    bytes.sent += part.length;
    return write(part, whole);
  };
  for (let item = 0; item < 6; item++) {
    const before = bytes.sent;
    await near.send(item);
    assertEquals(bytes.sent - before, HEADER_BYTES + 1, `item ${item}`);
  }
  // Each item of a stream in a write of its own would cost a stream most of its speed.
  let writes = 0;
  pair.localTransport.write = (part, whole) => {
    writes++;
    return write(part, whole);
  };
  for (let item = 0; item < 1_000; item++) await near.send(item & 0x7f);
  for (let item = 0; item < 1_006; item++) await far.receive();
  assert(writes < 50, `${writes} writes for 1,000 items`);
  await pair.end();
});
