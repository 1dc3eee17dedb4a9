import { assert, assertEquals, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import type { Channel } from "../../channel/channel.ts";
import {
  ChannelClosedError,
  EOFError,
  GatewayClosedError,
  ProtocolError,
  TimeoutError,
} from "../../channel/errors.ts";
import { FrameType, makeFrame } from "../../channel/frame.ts";
import { Session } from "../../channel/session.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import { memoryTransports } from "../helpers/memory_transport.ts";
import { concat, dataFrame, Scripted, withPair } from "../helpers/sessions.ts";

test("Session.exec() opens a channel on both sides and passes its options", async () => {
  const executed: [Channel, unknown][] = [];
  await withPair({ onExec: (channel, options) => executed.push([channel, options]) }, async (pair) => {
    const first = await pair.open({ name: "job", permissions: { net: ["a"] } });
    const second = await pair.open({ name: "other" });
    assertEquals([first.near.id, second.near.id], [1, 3]);
    assertEquals(executed.map(([, options]) => options), [
      { name: "job", permissions: { net: ["a"] } },
      { name: "other" },
    ]);
    assert(executed[0]![0] === first.far);
    assertEquals([pair.local.channelCount, pair.remote.channelCount], [2, 2]);
  });
});

test("Session.request() resolves with the answer, many at once", async () => {
  let count = 0;
  await withPair({
    remote: { handlers: { request: (kind) => ({ kind, count: count++ }) } },
  }, async (pair) => {
    const answers = await Promise.all([
      pair.local.request("status"),
      pair.local.request("info"),
      pair.local.request("status", { timeout: 60_000 }),
    ]);
    assertEquals(answers, [{ kind: "status", count: 0 }, { kind: "info", count: 1 }, {
      kind: "status",
      count: 2,
    }]);
  });
});

test("Session.request() gives up with a deadline or a signal, and a late answer harms nothing", async () => {
  await withPair({}, async (pair) => {
    pair.localTransport.stall();
    await assertRejects(() => pair.local.request("status", { timeout: 0 }), TimeoutError);
    await assertRejects(
      () => pair.local.request("status", { timeout: 2 }),
      TimeoutError,
      "status after 2 ms",
    );
    await assertRejects(() => pair.local.request("status", { timeout: -1 }), RangeError);
    await assertRejects(() => pair.local.request("status", { timeout: NaN }), RangeError);
    const controller = new AbortController();
    const given = watch(pair.local.request("info", { signal: controller.signal }));
    controller.abort("enough");
    await settle();
    assertEquals([given.state, given.reason], ["rejected", "enough"]);
    assertEquals(
      await pair.local.request("info", { signal: AbortSignal.abort("before") }).catch((error) => error),
      "before",
    );
    pair.localTransport.resume();
    await settle();
    assert(pair.local.alive);
    assertEquals(await pair.local.request("info"), { kind: "info" });
  });
});

test("Session.fail() rejects everything that is pending, with the first reason as its cause", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    await far.send("kept");
    await settle();
    const other = await pair.open();
    const marker: unknown[] = [];
    other.near.setCallback((item: unknown) => marker.push(item), { endMarker: "end" });
    const third = await pair.open();
    pair.localTransport.stall();
    const receiving = watch(third.near.receive());
    const waiting = watch(third.near.waitClose());
    const request = watch(pair.local.request("status"));
    const sends = Array.from({ length: 100 }, () => watch(third.near.send(new Uint8Array(20_000))));
    const iterating = watch((async () => {
      for await (const _ of third.near);
    })());
    await settle();
    assert(sends.some((one) => one.state === "pending"));

    const reason = new Error("the first");
    pair.local.fail(reason);
    pair.local.fail(new Error("the second"));
    await settle();
    assert(!pair.local.alive);
    assert(await pair.local.ended === reason);
    assert(pair.localTransport.aborted);
    for (const one of [receiving, waiting, request, iterating]) {
      assertEquals(one.state, "rejected");
      assert(one.reason instanceof GatewayClosedError, String(one.reason));
      assert((one.reason as Error).cause === reason);
    }
    for (const one of sends.filter((send) => send.state === "rejected")) {
      assert(one.reason instanceof ChannelClosedError);
      assert(((one.reason as Error).cause as Error).cause === reason);
    }
    assert(sends.every((one) => one.state !== "pending"));
    assertEquals(marker, ["end"]);
    assertEquals(pair.local.channelCount, 0);

    assertEquals(await near.receive(), "kept");
    for (let i = 0; i < 2; i++) {
      const error = await assertRejects(() => near.receive(), GatewayClosedError);
      assert(error.cause === reason);
      assert(error instanceof EOFError);
    }
    await assertRejects(() => near.waitClose(), GatewayClosedError);
    await assertRejects(() => near.send(1), ChannelClosedError);
  });
});

test("Session keeps its first reason for what is asked of it after its end", async () => {
  await withPair({}, async (pair) => {
    const reason = new Error("the first");
    pair.local.fail(reason);
    const request = await assertRejects(() => pair.local.request("status"), GatewayClosedError);
    assert(request.cause === reason, "request() has lost the reason");
    const made = assertThrows(() => pair.local.newChannel(), GatewayClosedError);
    assert(made.cause === reason, "newChannel() has lost the reason");
    const executed = assertThrows(() => pair.local.exec(null), GatewayClosedError);
    assert(executed.cause === reason, "exec() has lost the reason");
  });
});

test("Session does everything without throwing after its end", async () => {
  await withPair({}, async (pair) => {
    const { near } = await pair.open();
    pair.local.fail(undefined);
    near.kill();
    await near.close();
    await near.close(new Error("x"));
    await near.closeWrite();
    await near.waitClose().catch(() => {});
    near.setCallback(() => {}, { endMarker: 1 });
    await pair.local.close();
    await pair.local.flushed();
    pair.local.fail(new Error("again"));
    pair.local.control(makeFrame(FrameType.PING, 0));
    await settle();
    assertEquals(await pair.local.ended, undefined);
  });
});

test("Session ends without a reason at the end of input, and both sides end", async () => {
  for (const messages of [false, true]) {
    await withPair({ messages }, async (pair) => {
      const { near, far } = await pair.open();
      await near.send(1);
      await settle();
      pair.localTransport.drop();
      await settle();
      assertEquals([await pair.local.ended, await pair.remote.ended], [undefined, undefined]);
      assertEquals(await far.receive(), 1);
      await assertRejects(() => far.receive(), GatewayClosedError);
    });
  }
});

test("Session ends with the error of its transport", async () => {
  for (const messages of [false, true]) {
    await withPair({ messages }, async (pair) => {
      const reset = new Error("connection reset");
      pair.localTransport.drop(reset);
      assert(await pair.local.ended === reset);
      assert(await pair.remote.ended === reset);
    });
  }
});

test("Session ends with a ProtocolError when the input ends within a frame", async () => {
  for (const messages of [false, true]) {
    const script = new Scripted({}, { messages });
    script.open();
    await script.feed(dataFrame(1, new Uint8Array(100)).slice(0, 50));
    script.transport.endInput();
    assert(await script.reason() instanceof ProtocolError, messages ? "messages" : "reads");
    await script.end();
  }
});

test("Session.close() sends what is queued first, then ends in an orderly way", async () => {
  await withPair({ capacity: 1000 }, async (pair) => {
    const { near, far } = await pair.open();
    pair.remoteTransport.stall();
    await near.send(new Uint8Array(40_000));
    await near.send("last");
    const closing = watch(pair.local.close("done"));
    await settle();
    assertEquals(closing.state, "pending");
    pair.remoteTransport.resume();
    await settle();
    assertEquals(closing.state, "resolved");
    assertEquals([await pair.local.ended, await pair.remote.ended], ["done", undefined]);
    assert(pair.localTransport.closed && !pair.localTransport.aborted);
    assertEquals((await far.receive() as Uint8Array).length, 40_000);
    assertEquals(await far.receive(), "last");
  });
});

test("Session.close() that waits for a full pipe ends with fail()", async () => {
  await withPair({ capacity: 1000 }, async (pair) => {
    const { near } = await pair.open();
    pair.remoteTransport.stall();
    near.send(new Uint8Array(40_000)).catch(() => {});
    await near.send("last");
    const closing = watch(pair.local.close());
    await settle();
    const reason = new Error("too long");
    pair.local.fail(reason);
    await settle();
    assertEquals(closing.state, "resolved");
    assert(await pair.local.ended === reason);
  });
});

test("Session explains its end with the error it was given", async () => {
  const explained: unknown[] = [];
  const error = new GatewayClosedError("It has ended", { code: 3, requested: true });
  await withPair({ local: { explain: (reason) => (explained.push(reason), error) } }, async (pair) => {
    const { near } = await pair.open();
    const reason = new Error("why");
    const receiving = watch(near.receive());
    pair.local.fail(reason);
    await settle();
    assert(receiving.reason === error);
    assert(explained[0] === reason);
    // An end that was asked for is no surprise: loops just end, and so does waitClose().
    for await (const _ of near);
    await near.waitClose();
    await assertRejects(() => near.receive(), GatewayClosedError);
  });
});

test("Session tells its handlers when the last channel has gone", async () => {
  let idle = 0;
  await withPair({ local: { handlers: { idle: () => idle++ } } }, async (pair) => {
    const first = await pair.open();
    const second = await pair.open();
    await first.near.close();
    assertEquals(idle, 0);
    await second.far.close();
    await settle();
    assertEquals(idle, 1);
  });
});

test("Session tells its handlers once that someone waits, and once that nobody does", async () => {
  const busy: boolean[] = [];
  await withPair({ local: { handlers: { busy: (on) => busy.push(on) } } }, async (pair) => {
    const { near, far } = await pair.open();
    const first = near.receive();
    const second = near.receive();
    const closing = near.waitClose();
    const request = pair.local.request("status");
    assertEquals(busy, [true]);
    await far.send(1);
    await far.send(2);
    await Promise.all([first, second, request]);
    assertEquals(busy, [true]);
    await far.close();
    await closing;
    assertEquals(busy, [true, false]);
    await assertRejects(() => near.receive());
    const other = await pair.open();
    await assertRejects(() => other.near.receive({ timeout: 0 }));
    await assertRejects(() => other.near.receive({ timeout: 1 }));
    const given = watch(other.near.receive());
    pair.local.fail(undefined);
    await settle();
    assertEquals(given.state, "rejected");
    assertEquals(busy, [true, false, true, false, true, false]);
  });
});

test("Session answers PING with PONG", async () => {
  const script = new Scripted();
  await script.feed(makeFrame(FrameType.PING, 0), makeFrame(FrameType.PONG, 0), makeFrame(FrameType.PING, 0));
  assertEquals(script.frames.map((frame) => frame.type), [FrameType.PONG, FrameType.PONG]);
  await script.end();
});

test("Session.start() takes the bytes that came behind the greeting first", async () => {
  for (const cut of [1, 11, 13, 14]) {
    const [near, far] = memoryTransports();
    const session = new Session(near, { name: "gw0", firstId: 1 });
    const channel = session.facade(session.exec(null));
    const stream = concat(dataFrame(1, new Uint8Array([1])), dataFrame(1, new Uint8Array([2])));
    await far.write(stream.slice(cut), false);
    session.start(stream.slice(0, cut));
    assertEquals([await channel.receive(), await channel.receive()], [1, 2]);
    session.fail(undefined);
    await settle();
  }
  const [near] = memoryTransports();
  const session = new Session(near, { name: "gw0", firstId: 1 });
  session.start(new Uint8Array(20));
  assert(await session.ended instanceof ProtocolError);
});

test("Session.flushed() resolves when all has been written", async () => {
  await withPair({ capacity: 100 }, async (pair) => {
    const { near } = await pair.open();
    pair.remoteTransport.stall();
    await near.send(new Uint8Array(10_000));
    await settle();
    await near.send("behind it");
    const flushed = watch(pair.local.flushed());
    await settle();
    assertEquals(flushed.state, "pending");
    pair.remoteTransport.resume();
    await settle();
    assertEquals(flushed.state, "resolved");
  });
});

test("Session maps the stacks of errors that it sends", async () => {
  await withPair({ remote: { mapStack: () => "mapped stack" } }, async (pair) => {
    const { near, far } = await pair.open();
    await far.close(new Error("x"));
    const error = await near.receive().catch((reason) => reason);
    assertEquals(error.remoteStack, "mapped stack");
  });
});

test("Session sends any error in a frame, however large or odd", async () => {
  await withPair({}, async (pair) => {
    const huge = Object.assign(new Error("é".repeat(1e6)), {
      ...Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`field${i}`, "é".repeat(1e5)])),
    });
    for (
      const error of [
        huge,
        Object.assign(new Error("odd"), { f: Array.from, s: Symbol("s"), lone: "\ud800" }),
      ]
    ) {
      const { near, far } = await pair.open();
      await far.close(error);
      const got = await near.receive().catch((reason) => reason);
      assertEquals(got.name, "RemoteError");
      assert(pair.local.alive && pair.remote.alive);
    }
  });
});
