import { assert, assertEquals, assertInstanceOf, assertRejects } from "jsr:@std/assert@^1.0.19";
import { GatewayClosedError, ProtocolError } from "../../channel/errors.ts";
import type { Channel } from "../../channel/channel.ts";
import { Encoder } from "../../channel/encode.ts";
import {
  FrameType,
  HEADER_BYTES,
  ID_BLOCK,
  makeFrame,
  MAX_BYPASS_PAYLOAD_BYTES,
  MAX_PAYLOAD_BYTES,
  writeUint48,
} from "../../channel/frame.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import { errorData, RemoteError } from "../../channel/remote_error.ts";
import { CloseFlag } from "../../channel/bypasses.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import { memoryTransports } from "../helpers/memory_transport.ts";
import type { MemoryTransport } from "../helpers/memory_transport.ts";
import { Pair } from "../helpers/sessions.ts";
import type { Ends } from "../helpers/sessions.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";
import type { Random } from "../helpers/seeded.ts";

/** A pair whose far side moves each execution to a link of its own, as long as there are any. */
class Bypassed {
  readonly pair: Pair;
  /** The ends of the links, in the order of executions. */
  readonly near: MemoryTransport[] = [];
  readonly far: MemoryTransport[] = [];
  #opened = 0;

  constructor(links: number, random?: Random) {
    for (let i = 0; i < links; i++) {
      const [near, far] = memoryTransports();
      this.near.push(near);
      this.far.push(far);
      if (random !== undefined) { for (const one of [near, far]) one.split(() => random.between(1, 3000)); }
    }
    this.pair = new Pair({
      ...(random === undefined ? {} : { random }),
      onExec: (channel) => {
        const far = this.far[this.#opened++];
        const end = [...this.pair.remote.ends].find(({ id }) => id === channel.id)!;
        if (far === undefined) return;
        this.pair.remote.openBypass(end, far, this.#opened);
      },
      local: { takesLinks: true },
    });
    for (const [i, link] of this.near.entries()) this.pair.local.addLink(link, i + 1);
  }

  /** Opens an execution, whose link is known here as soon as something has come by it. */
  async open(): Promise<Ends> {
    const ends = await this.pair.open();
    await ends.far.send("open");
    assertEquals(await ends.near.receive(), "open");
    await settle();
    return ends;
  }
}

async function withBypassed(
  links: number,
  body: (bypassed: Bypassed) => Promise<void>,
  random?: Random,
): Promise<void> {
  const bypassed = new Bypassed(links, random);
  try {
    await body(bypassed);
  } finally {
    await bypassed.pair.end();
  }
}

/** The types of the frames that a transport writes from now on. */
function typesWritten(transport: MemoryTransport): number[] {
  const types: number[] = [];
  const reader = new FrameReader({
    frame: ({ type }) => types.push(type),
    place: () => undefined,
    placed: () => {},
  });
  transport.onWrite = (bytes) => reader.push(bytes);
  return types;
}

async function echoed({ near, far }: Ends, items: unknown[]): Promise<unknown[]> {
  const echo = (async () => {
    for (const _ of items) await far.send(await far.receive());
  })();
  const got: unknown[] = [];
  for (const item of items) {
    await near.send(item as string);
    got.push(await near.receive());
  }
  await echo;
  return got;
}

test("a bypass carries all that belongs to its execution, and the connection nothing of it", async () => {
  await withBypassed(1, async (bypassed) => {
    const { pair, near, far } = bypassed;
    const ends = await bypassed.open();
    const main = [typesWritten(pair.localTransport), typesWritten(pair.remoteTransport)];
    const items = [1, "two", new Uint8Array(3_000_000).fill(7)];
    assertEquals(await echoed(ends, items), items);
    const inner = pair.local.newChannel();
    await ends.near.send(inner);
    const there = await ends.far.receive() as Channel;
    await there.send("through");
    assertEquals(await inner.receive(), "through");
    await inner.close();
    await assertRejects(() => there.receive());
    assertEquals(main, [[], []]);
    assert(near[0]!.writes.length > 3 && far[0]!.writes.length > 3);
  });
});

test("a bypass carries longer parts than the connection, and takes none beyond its limit", async () => {
  await withBypassed(2, async (bypassed) => {
    const { pair, near, far } = bypassed;
    const ends = await bypassed.open();
    const item = new Uint8Array(MAX_BYPASS_PAYLOAD_BYTES);
    const before = near[0]!.writes.length;
    const sent = ends.near.send(item);
    assertEquals((await ends.far.receive() as Uint8Array).length, item.length);
    await sent;
    assertEquals(near[0]!.writes.slice(before), [2 * HEADER_BYTES + 6 + item.length]);
    const other = await pair.open();
    const long = makeFrame(FrameType.DATA, other.near.id, new Uint8Array(MAX_PAYLOAD_BYTES + 1), 1);
    void pair.remoteTransport.write(long, false).catch(() => {});
    assertInstanceOf(await pair.local.ended, ProtocolError);
    assertEquals(far.length, 2);
  });
});

test("the first item of an execution and whose link it comes by are one write", async () => {
  await withBypassed(1, async (bypassed) => {
    await bypassed.open();
    assertEquals(bypassed.far[0]!.writes.length, 1);
  });
});

test("a bypass keeps the order of an item that is half on the way when it is opened", async () => {
  await forSeeds(seeds(40), async (random) => {
    await withBypassed(1, async ({ pair }) => {
      const { near, far } = await pair.open();
      const sizes = Array.from({ length: 30 }, () => random.between(0, 200_000));
      const sent = (async () => {
        for (const [i, size] of sizes.entries()) await near.send(new Uint8Array(size).fill(i));
        await near.closeWrite();
      })();
      const got: [number, number][] = [];
      for await (const item of far as AsyncIterable<Uint8Array>) {
        got.push([item.length, item[0] ?? -1]);
        // Only now the other side learns of the link.
        if (got.length === 3) await far.send("here");
      }
      await sent;
      assertEquals(got, sizes.map((size, i) => [size, size === 0 ? -1 : i]));
    }, random);
  });
});

test("a channel that was closed before its bypass was known closes on the other side", async () => {
  await withBypassed(1, async ({ pair }) => {
    const { near, far } = await pair.open();
    const report = pair.local.newChannel();
    await near.send(report);
    const there = await far.receive() as Channel;
    await near.close();
    await assertRejects(() => far.receive());
    await there.send("still there");
    assertEquals(await report.receive(), "still there");
    await report.send("and back");
    assertEquals(await there.receive(), "and back");
  });
});

test("other executions keep the connection", async () => {
  await withBypassed(1, async (bypassed) => {
    const { pair, near } = bypassed;
    const first = await bypassed.open();
    const second = await pair.open();
    await settle();
    assertEquals(pair.local.bypassed.map(({ id }) => id), [first.near.id]);
    const writes = near[0]!.writes.length;
    assertEquals(await echoed(second, ["a"]), ["a"]);
    assertEquals(near[0]!.writes.length, writes);
    assertEquals(await echoed(first, ["b"]), ["b"]);
  });
});

const LOST = new Encoder().encode(errorData(new Error("lost"))).slice();

const { LINKED, CUT } = CloseFlag;

test("the last word about an execution waits for what is still under way on its bypass", async () => {
  for (const known of [true, false]) {
    await withBypassed(1, async (bypassed) => {
      const { pair, near } = bypassed;
      const ends = known ? await bypassed.open() : await pair.open();
      near[0]!.stall();
      await ends.far.send("late");
      await settle();
      // What a router does, and a Worker that has gone.
      pair.remote.control(makeFrame(FrameType.CLOSE, ends.near.id, LOST, LINKED));
      near[0]!.endInput();
      await settle();
      const closed = watch(ends.near.waitClose());
      await settle();
      assertEquals(closed.state, "pending");
      near[0]!.resume();
      assertEquals(await ends.near.receive(), "late");
      await settle();
      assertInstanceOf(closed.reason, RemoteError);
      assert((closed.reason as Error).message.includes("lost"));
    });
  }
});

test("the last word about an execution that was killed waits for nothing", async () => {
  for (const known of [true, false]) {
    await withBypassed(1, async (bypassed) => {
      const { pair, near } = bypassed;
      near[0]!.stall();
      if (known) near[0]!.resume();
      const ends = known ? await bypassed.open() : await pair.open();
      const inner = pair.local.newChannel();
      await ends.near.send(inner);
      await settle();
      near[0]!.stall();
      await ends.far.send("never seen");
      pair.remote.control(makeFrame(FrameType.CLOSE, ends.near.id, LOST, LINKED | CUT));
      await assertRejects(() => ends.near.waitClose(), RemoteError, "lost");
      await assertRejects(() => inner.waitClose(), RemoteError, "lost");
      near[0]!.resume();
      await settle();
      assert(near[0]!.aborted, "a link that comes too late is let go of");
    });
  }
});

test("the last word closes what was still opened for an execution that has ended", async () => {
  await withBypassed(1, async (bypassed) => {
    const { pair } = bypassed;
    const { near } = await bypassed.open();
    const inner = pair.local.newChannel();
    await near.send(inner);
    bypassed.near[0]!.endInput();
    pair.remote.control(makeFrame(FrameType.CLOSE, near.id, undefined, LINKED));
    await inner.waitClose();
    await near.waitClose();
    assertEquals(pair.local.channelCount, 0);
  });
});

test("an execution that has ended without a word by its link does not hold up its last word", async () => {
  for (const order of ["link, word", "word, link", "word, no link yet"]) {
    await withBypassed(0, async ({ pair }) => {
      const { near } = await pair.open();
      const [link, far] = memoryTransports();
      pair.remote.control(makeFrame(FrameType.BYPASS, near.id, uint48(7)));
      if (order !== "word, no link yet") pair.local.addLink(link, 7);
      if (order === "link, word") far.close();
      await settle();
      pair.remote.control(makeFrame(FrameType.CLOSE, near.id, LOST, LINKED));
      await settle();
      if (order === "word, no link yet") pair.local.addLink(link, 7);
      far.close();
      await assertRejects(() => near.waitClose(), RemoteError, "lost");
    });
  }
});

test("a link takes what had come by it though nobody reads what is sent by it", async () => {
  await withBypassed(1, async (bypassed) => {
    const ends = await bypassed.open();
    const [near] = bypassed.near;
    near!.stall();
    await ends.far.send("last");
    await settle();
    near!.write = () => Promise.reject(new Error("broken pipe"));
    await ends.near.send("unheard");
    await settle();
    near!.resume();
    assertEquals(await ends.near.receive(), "last");
  });
});

test("a link that is announced and can come no more is not waited for", async () => {
  for (const before of [true, false]) {
    await withBypassed(0, async ({ pair }) => {
      const { near } = await pair.open();
      if (before) pair.local.noMoreLinks();
      pair.remote.control(makeFrame(FrameType.BYPASS, near.id, uint48(7)));
      pair.remote.control(makeFrame(FrameType.CLOSE, near.id, LOST, LINKED));
      await settle();
      if (!before) pair.local.noMoreLinks();
      await assertRejects(() => near.waitClose(), RemoteError, "lost");
    });
  }
});

test("a link that came after the last word is read to its end though no further one comes", async () => {
  for (const claimed of [true, false]) {
    await withBypassed(0, async ({ pair }) => {
      const { near } = await pair.open();
      const [link, far] = memoryTransports();
      pair.remote.control(makeFrame(FrameType.BYPASS, near.id, uint48(7)));
      pair.remote.control(makeFrame(FrameType.CLOSE, near.id, LOST, LINKED));
      await settle();
      pair.local.addLink(link, 7);
      const claim = makeFrame(FrameType.BYPASS, near.id);
      if (claimed) await far.write(claim, false);
      await settle();
      pair.local.noMoreLinks();
      await settle();
      if (!claimed) await far.write(claim, false);
      await far.write(makeFrame(FrameType.DATA, near.id, new Uint8Array([5])), false);
      far.close();
      assertEquals(await near.receive(), 5);
      await assertRejects(() => near.receive(), RemoteError, "lost");
      await settle();
      assert(link.aborted);
    });
  }
});

test("an execution that claims another link than it was said to have keeps none after its last word", async () => {
  await withBypassed(0, async ({ pair }) => {
    const { near } = await pair.open();
    const [link, far] = memoryTransports();
    pair.remote.control(makeFrame(FrameType.BYPASS, near.id, uint48(7)));
    pair.remote.control(makeFrame(FrameType.CLOSE, near.id, LOST, LINKED));
    await settle();
    pair.local.addLink(link, 8);
    await far.write(makeFrame(FrameType.BYPASS, near.id), false);
    await settle();
    pair.local.noMoreLinks();
    await assertRejects(() => near.waitClose(), RemoteError, "lost");
    await settle();
    assert(link.aborted);
  });
});

test("the end of the connection comes after what executions had sent", async () => {
  for (const known of [true, false]) {
    await withBypassed(1, async (bypassed) => {
      const { pair, near, far } = bypassed;
      const ends = known ? await bypassed.open() : await pair.open();
      near[0]!.stall();
      await ends.far.send("last");
      await settle();
      pair.localTransport.endInput();
      await settle();
      assert(pair.local.alive);
      near[0]!.resume();
      await settle();
      far[0]!.close();
      assertEquals(await ends.near.receive(), "last");
      await assertRejects(() => ends.near.receive(), GatewayClosedError);
    });
  }
});

test("a bypass that breaks is the end of the side that executes", async () => {
  await withBypassed(1, async (bypassed) => {
    await bypassed.open();
    bypassed.near[0]!.drop();
    await bypassed.pair.remote.ended;
    assert(bypassed.pair.local.alive);
  });
});

test("links that come after the end, and those that nobody claims, are let go of", async () => {
  const bypassed = new Bypassed(2);
  await bypassed.open();
  const [late] = memoryTransports();
  await bypassed.pair.end();
  bypassed.pair.local.addLink(late, 3);
  assert([...bypassed.near, late].every(({ aborted }) => aborted));
});

function uint48(value: number): Uint8Array {
  const bytes = new Uint8Array(6);
  writeUint48(bytes, 0, value);
  return bytes;
}

const HOSTILE: readonly [what: string, frame: (other: number) => Uint8Array][] = [
  [
    "data for a channel of another execution",
    (other) => makeFrame(FrameType.DATA, other, new Uint8Array([1])),
  ],
  ["the end of another execution's channel", (other) => makeFrame(FrameType.CLOSE, other)],
  [
    "a long item for another execution's channel",
    (other) => makeFrame(FrameType.DATA, other, new Uint8Array(100_000), 1),
  ],
  ["a channel on a carrier of another execution", (other) => makeFrame(FrameType.OPEN, 2, uint48(other))],
  ["a question", () => makeFrame(FrameType.REQUEST, 0, new Uint8Array([0xc0]))],
  ["an answer", () => makeFrame(FrameType.REPLY, 0, new Uint8Array([0x92, 1, 1]))],
  ["a bypass with more than it may say", (other) => makeFrame(FrameType.BYPASS, other, LOST)],
  ["an execution", () => makeFrame(FrameType.EXEC, 2, new Uint8Array([0xc0]))],
  ["a channel that was never opened", () => makeFrame(FrameType.DATA, 99, new Uint8Array([1]))],
  [
    "a payload over the limit",
    () => makeFrame(FrameType.DATA, 1, new Uint8Array(MAX_BYPASS_PAYLOAD_BYTES + 1), 1),
  ],
  // The first execution's id is 1, and so is the number of its link.
  ["a channel of another execution's block", () => makeFrame(FrameType.OPEN, ID_BLOCK + 2, uint48(1))],
  ["an unknown type", () => new Uint8Array([99, ...new Uint8Array(11)])],
];

for (const [what, frame] of HOSTILE) {
  test(`a bypass on which comes ${what} is the end of its execution, and of no other`, async () => {
    await withBypassed(0, async ({ pair }) => {
      const ends = await pair.open();
      const other = await pair.open();
      await settle();
      // The other side knows of no link, and would end the connection when it is told of one.
      pair.remoteTransport.stall();
      const [near, far] = memoryTransports();
      pair.local.addLink(near, 1);
      await far.write(makeFrame(FrameType.BYPASS, ends.near.id), false);
      // In pieces, as a long payload asks for its place before it is there.
      const bytes = frame(other.near.id);
      await far.write(bytes.slice(0, 20), false);
      if (bytes.length > 20) void far.write(bytes.slice(20), false).catch(() => {});
      const error = await assertRejects(() => ends.near.receive(), RemoteError);
      assertEquals(error.remoteName, "ProtocolError");
      assert(near.aborted);
      assertEquals([...pair.local.ends].map(({ id }) => id), [other.near.id]);
    });
  });

  test(`a link that is nobody's on which comes ${what} is let go of`, async () => {
    await withBypassed(2, async (bypassed) => {
      const { pair, near, far } = bypassed;
      const ends = await bypassed.open();
      const bytes = frame(ends.near.id);
      await far[1]!.write(bytes.slice(0, 20), false);
      if (bytes.length > 20) void far[1]!.write(bytes.slice(20), false).catch(() => {});
      await settle();
      assert(near[1]!.aborted);
      assertEquals(await echoed(ends, [1]), [1]);
      assertEquals(pair.kills, []);
    });
  });
}

test("a second bypass of one execution is refused, as is one for what never was or is this side's", async () => {
  // 3 is a channel of the first execution.
  for (const id of [1, 3, 5, 2]) {
    await withBypassed(2, async (bypassed) => {
      const { pair, near, far } = bypassed;
      const ends = await bypassed.open();
      await ends.near.send(pair.local.newChannel());
      await ends.far.receive();
      await far[1]!.write(makeFrame(FrameType.BYPASS, id), false);
      await settle();
      assert(near[1]!.aborted);
      assertEquals(await echoed(ends, [1]), [1]);
    });
  }
});

test("a session refuses a BYPASS by the connection that means nothing", async () => {
  const frames = [
    ["local", makeFrame(FrameType.BYPASS, 1)],
    ["local", makeFrame(FrameType.BYPASS, 3, uint48(9))],
    ["local", makeFrame(FrameType.BYPASS, 1, new Uint8Array(5))],
    ["remote", makeFrame(FrameType.BYPASS, 3)],
    ["remote", makeFrame(FrameType.BYPASS, 1, uint48(9))],
  ] as const;
  for (const [side, frame] of frames) {
    await withBypassed(1, async ({ pair }) => {
      await pair.open();
      await settle();
      pair[side === "local" ? "remote" : "local"].control(frame);
      assertInstanceOf(await pair[side].ended, ProtocolError);
    });
  }
});

test("who opens by the connection what another has opened by its link ends, and nobody else", async () => {
  await withBypassed(1, async (bypassed) => {
    const { pair } = bypassed;
    const first = await bypassed.open();
    const inner = pair.remote.newChannel();
    await first.far.send(inner);
    const taken = await first.near.receive() as Channel;
    const second = await pair.open();
    pair.remote.control(makeFrame(FrameType.OPEN, taken.id, uint48(second.near.id)));
    const error = await assertRejects(() => second.near.receive(), RemoteError);
    assertEquals(error.remoteName, "ProtocolError");
    await settle();
    assertEquals(pair.kills.map(([id]) => id), [second.near.id]);
    assert(pair.local.alive);
    assertEquals(await echoed(first, [1]), [1]);
    assertEquals(await echoed({ near: taken, far: inner }, [2]), [2]);
  });
});

test("what is said about a channel that came by a bypass leaves by it, though the connection is still being written to", async () => {
  await withBypassed(1, async ({ pair, near: [link] }) => {
    const { near, far } = await pair.open();
    await settle();
    // A router knows nothing of channels that were made over there and opened by the link.
    const channels: number[] = [];
    const reader = new FrameReader({
      frame: ({ channel }) => channels.push(channel),
      place: () => undefined,
      placed: () => {},
    });
    pair.localTransport.onWrite = (bytes) => reader.push(bytes);
    pair.remoteTransport.stall();
    const long = near.send(new Uint8Array(600_000));
    await settle();
    const made = pair.remote.newChannel();
    await far.send(made);
    const filled = (async () => {
      const passed = await near.receive() as Channel;
      for (let i = 0; i < 3; i++) await passed.send(i);
      await passed.close();
    })();
    await settle();
    pair.remoteTransport.resume();
    await Promise.all([long, filled]);
    assertEquals(await Array.fromAsync(made), [0, 1, 2]);
    assertEquals((await far.receive() as Uint8Array).length, 600_000);
    assertEquals(channels.filter((channel) => channel !== 0 && channel !== near.id), []);
    assert(link!.writes.length > 0);
  });
});
