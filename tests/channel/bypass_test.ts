import { assert, assertEquals, assertInstanceOf, assertRejects } from "jsr:@std/assert@^1.0.19";
import { GatewayClosedError, ProtocolError } from "../../channel/errors.ts";
import type { Channel } from "../../channel/channel.ts";
import { Encoder } from "../../channel/encode.ts";
import { FrameType, makeFrame, writeUint48 } from "../../channel/frame.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import { errorData, RemoteError } from "../../channel/remote_error.ts";
import { CUT } from "../../channel/bypasses.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import { memoryTransports } from "../helpers/memory_transport.ts";
import type { MemoryTransport } from "../helpers/memory_transport.ts";
import { Pair } from "../helpers/sessions.ts";
import type { Ends } from "../helpers/sessions.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";
import type { Random } from "../helpers/seeded.ts";

const TOKEN = new Uint8Array([1, 2, 3]);

/** A pair whose far side moves each execution to a link of its own, as long as there are any. */
class Bypassed {
  readonly pair: Pair;
  /** The ends of the links, in the order of executions. */
  readonly near: MemoryTransport[] = [];
  readonly far: MemoryTransport[] = [];
  readonly tokens: Uint8Array[] = [];
  /** What finds a link here; by default at once. */
  find: () => Promise<MemoryTransport>;
  #claimed = 0;

  constructor(links: number, random?: Random) {
    this.find = () => Promise.resolve(this.near[this.#claimed++]!);
    for (let i = 0; i < links; i++) {
      const [near, far] = memoryTransports();
      this.near.push(near);
      this.far.push(far);
      if (random !== undefined) { for (const one of [near, far]) one.split(() => random.between(1, 3000)); }
    }
    let opened = 0;
    this.pair = new Pair({
      ...(random === undefined ? {} : { random }),
      onExec: (channel) => {
        const far = this.far[opened++];
        const end = [...this.pair.remote.ends].find(({ id }) => id === channel.id)!;
        if (far !== undefined) this.pair.remote.openBypass(end, far, TOKEN);
      },
      local: {
        handlers: {
          bypass: (token) => {
            this.tokens.push(token);
            return this.find();
          },
        },
      },
    });
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
  await withBypassed(1, async ({ pair, tokens, near, far }) => {
    const ends = await pair.open();
    await settle();
    assertEquals(tokens, [TOKEN]);
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

test("a bypass keeps the order of an item that is half on the way when it is opened", async () => {
  await forSeeds(seeds(40), async (random) => {
    await withBypassed(1, async (bypassed) => {
      const { pair } = bypassed;
      const link = Promise.withResolvers<void>();
      const { find } = bypassed;
      bypassed.find = async () => {
        await link.promise;
        return await find();
      };
      const { near, far } = await pair.open();
      const sizes = Array.from({ length: 30 }, () => random.between(0, 200_000));
      const sent = (async () => {
        for (const [i, size] of sizes.entries()) {
          await near.send(new Uint8Array(size).fill(i));
          if (i === 3) link.resolve();
        }
        await near.closeWrite();
      })();
      const got: [number, number][] = [];
      for await (const item of far as AsyncIterable<Uint8Array>) got.push([item.length, item[0] ?? -1]);
      await sent;
      assertEquals(got, sizes.map((size, i) => [size, size === 0 ? -1 : i]));
    }, random);
  });
});

test("a channel that was closed before its bypass was found closes on the other side", async () => {
  await withBypassed(1, async (bypassed) => {
    const { pair } = bypassed;
    const link = Promise.withResolvers<MemoryTransport>();
    bypassed.find = () => link.promise;
    const { near, far } = await pair.open();
    const report = pair.local.newChannel();
    await near.send(report);
    const there = await far.receive() as Channel;
    await near.close();
    link.resolve(bypassed.near[0]!);
    await assertRejects(() => far.receive());
    await there.send("still there");
    assertEquals(await report.receive(), "still there");
  });
});

test("other executions keep the connection", async () => {
  await withBypassed(1, async ({ pair, near }) => {
    const first = await pair.open();
    const second = await pair.open();
    await settle();
    assertEquals(pair.local.bypassed.map(({ id }) => id), [first.near.id]);
    assertEquals(await echoed(second, ["a"]), ["a"]);
    assertEquals(near[0]!.writes, []);
    assertEquals(await echoed(first, ["b"]), ["b"]);
  });
});

const LOST = new Encoder().encode(errorData(new Error("lost"))).slice();

test("the last word about an execution waits for what is still under way on its bypass", async () => {
  await withBypassed(1, async ({ pair, near }) => {
    const ends = await pair.open();
    await settle();
    near[0]!.stall();
    await ends.far.send("late");
    await settle();
    // What a router does, and a Worker that has gone.
    pair.remote.control(makeFrame(FrameType.CLOSE, ends.near.id, LOST));
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
});

test("the last word about an execution that was killed waits for nothing", async () => {
  await withBypassed(1, async ({ pair, near }) => {
    const ends = await pair.open();
    const inner = pair.local.newChannel();
    await ends.near.send(inner);
    await settle();
    near[0]!.stall();
    pair.remote.control(makeFrame(FrameType.CLOSE, ends.near.id, LOST, CUT));
    await assertRejects(() => ends.near.waitClose(), RemoteError, "lost");
    await assertRejects(() => inner.waitClose(), RemoteError, "lost");
    assert(near[0]!.aborted);
  });
});

test("the last word closes what was still opened for an execution that has ended", async () => {
  await withBypassed(1, async (bypassed) => {
    const { pair } = bypassed;
    const { near } = await pair.open();
    await settle();
    const inner = pair.local.newChannel();
    await near.send(inner);
    bypassed.near[0]!.endInput();
    pair.remote.control(makeFrame(FrameType.CLOSE, near.id));
    await inner.waitClose();
    await near.waitClose();
    assertEquals(pair.local.channelCount, 0);
  });
});

test("the end of the connection comes after what executions had sent", async () => {
  await withBypassed(1, async ({ pair, near, far }) => {
    const ends = await pair.open();
    await settle();
    near[0]!.stall();
    await ends.far.send("last");
    await settle();
    pair.localTransport.endInput();
    await settle();
    assert(pair.local.alive);
    near[0]!.resume();
    far[0]!.close();
    assertEquals(await ends.near.receive(), "last");
    await assertRejects(() => ends.near.receive(), GatewayClosedError);
  });
});

test("a bypass that breaks is the end of the side that executes", async () => {
  await withBypassed(1, async ({ pair, near }) => {
    await pair.open();
    await settle();
    near[0]!.drop();
    await pair.remote.ended;
    assert(pair.local.alive);
  });
});

test("an execution whose link cannot be had is killed with the reason", async () => {
  await withBypassed(1, async (bypassed) => {
    const { pair } = bypassed;
    bypassed.find = () => Promise.reject(new Error("no descriptors left"));
    const { near } = await pair.open();
    await settle();
    const [[id, reason]] = pair.kills as [[number, Error]];
    assertEquals(id, near.id);
    assertInstanceOf(reason, RemoteError);
    assert(reason.message.includes("no descriptors left"));
    assert(pair.local.alive);
  });
});

function open(channel: number, carrier: number): Uint8Array {
  const payload = new Uint8Array(6);
  writeUint48(payload, 0, carrier);
  return makeFrame(FrameType.OPEN, channel, payload);
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
  ["a channel on a carrier of another execution", (other) => open(2, other)],
  ["a question", () => makeFrame(FrameType.REQUEST, 0, new Uint8Array([0xc0]))],
  ["an answer", () => makeFrame(FrameType.REPLY, 0, new Uint8Array([0x92, 1, 1]))],
  ["another bypass", (other) => makeFrame(FrameType.BYPASS, other, TOKEN)],
  ["an execution", () => makeFrame(FrameType.EXEC, 2, new Uint8Array([0xc0]))],
  ["a channel that was never opened", () => makeFrame(FrameType.DATA, 99, new Uint8Array([1]))],
  ["an unknown type", () => new Uint8Array([99, ...new Uint8Array(11)])],
];

for (const [what, frame] of HOSTILE) {
  test(`a bypass on which comes ${what} is the end of the gateway`, async () => {
    await withBypassed(1, async ({ pair, far }) => {
      await pair.open();
      const other = await pair.open();
      await settle();
      // In pieces, as a long payload asks for its place before it is there.
      const bytes = frame(other.near.id);
      await far[0]!.write(bytes.slice(0, 20), false);
      if (bytes.length > 20) void far[0]!.write(bytes.slice(20), false).catch(() => {});
      assertInstanceOf(await pair.local.ended, ProtocolError);
      await assertRejects(() => other.near.receive(), GatewayClosedError);
    });
  });
}

test("a second bypass of one execution is refused, as is one for what never was", async () => {
  for (const id of [1, 5]) {
    await withBypassed(1, async ({ pair }) => {
      await pair.open();
      await settle();
      pair.remote.control(makeFrame(FrameType.BYPASS, id, TOKEN));
      assertInstanceOf(await pair.local.ended, ProtocolError);
    });
  }
});

test("a session that takes no bypass refuses one", async () => {
  const pair = new Pair();
  const { near } = await pair.open();
  pair.remote.control(makeFrame(FrameType.BYPASS, near.id, TOKEN));
  assertInstanceOf(await pair.local.ended, ProtocolError);
  await pair.end();
});
