import { assert, assertEquals, assertRejects, assertStringIncludes } from "jsr:@std/assert@^1.0.19";
import { Channel } from "../../channel/channel.ts";
import { ChannelClosedError, EOFError, TimeoutError } from "../../channel/errors.ts";
import { RemoteError } from "../../channel/remote_error.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import { type Pair, withPair } from "../helpers/sessions.ts";
import type { Ends } from "../helpers/sessions.ts";

const state = (channel: Channel): string => Channel.endOf(channel).state;

type Step = "near.closeWrite" | "far.closeWrite" | "near.close" | "far.close" | "near.kill";

function take(step: Step, { near, far }: Ends): void {
  switch (step) {
    case "near.closeWrite":
      return void near.closeWrite();
    case "far.closeWrite":
      return void far.closeWrite();
    case "near.close":
      return void near.close();
    case "far.close":
      return void far.close();
    case "near.kill":
      return near.kill();
  }
}

/** Steps, and the states of both ends after each has arrived. */
const TABLE: readonly (readonly [Step, string, string])[][] = [
  [["near.closeWrite", "receive-only", "send-only"], ["near.closeWrite", "receive-only", "send-only"]],
  [["near.closeWrite", "receive-only", "send-only"], ["far.closeWrite", "closed", "closed"]],
  [["near.closeWrite", "receive-only", "send-only"], ["near.close", "closed", "closed"]],
  [["near.closeWrite", "receive-only", "send-only"], ["far.close", "closed", "closed"]],
  [["far.closeWrite", "send-only", "receive-only"], ["near.closeWrite", "closed", "closed"]],
  [["far.closeWrite", "send-only", "receive-only"], ["near.close", "closed", "closed"]],
  [["far.closeWrite", "send-only", "receive-only"], ["far.close", "closed", "closed"]],
  [["near.close", "closed", "closed"], ["near.close", "closed", "closed"]],
  [["near.close", "closed", "closed"], ["far.close", "closed", "closed"]],
  [["near.close", "closed", "closed"], ["near.closeWrite", "closed", "closed"]],
  [["near.close", "closed", "closed"], ["far.closeWrite", "closed", "closed"]],
  [["far.close", "closed", "closed"], ["near.close", "closed", "closed"]],
  [["far.close", "closed", "closed"], ["near.kill", "closed", "closed"]],
];

for (const messages of [false, true]) {
  test(`Channel goes through its states as the table says (${messages ? "messages" : "reads"})`, async () => {
    for (const row of TABLE) {
      await withPair({ messages }, async (pair) => {
        const ends = await pair.open();
        assertEquals([state(ends.near), state(ends.far)], ["open", "open"]);
        for (const [step, near, far] of row) {
          take(step, ends);
          await settle();
          const name = row.map(([one]) => one).join(", ");
          assertEquals([state(ends.near), state(ends.far)], [near, far], `${name}: after ${step}`);
          assertEquals(ends.near.isClosed(), near === "closed");
          const open = near === "closed" && far === "closed" ? 0 : 1;
          assertEquals([pair.local.channelCount, pair.remote.channelCount], [open, open], name);
        }
        assert(pair.local.alive && pair.remote.alive);
      });
    }
  });
}

test("Channel: two steps of closing that cross leave nothing open, in every combination", async () => {
  const steps: Step[] = ["near.closeWrite", "far.closeWrite", "near.close", "far.close", "near.kill"];
  for (const first of steps) {
    for (const second of steps) {
      for (const third of [undefined, ...steps]) {
        await withPair({}, async (pair) => {
          const ends = await pair.open();
          await ends.near.send("a");
          await ends.far.send("b");
          take(first, ends);
          take(second, ends);
          if (third !== undefined) take(third, ends);
          await settle();
          assert(pair.local.alive && pair.remote.alive, `${first}, ${second}, ${third}`);
          take("near.close", ends);
          take("far.close", ends);
          await settle();
          assertEquals([pair.local.channelCount, pair.remote.channelCount], [0, 0]);
        });
      }
    }
  }
}, 60_000);

test("Channel.closeWrite() ends the other side's reads after what was sent, and only those", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    await near.send(1);
    await near.closeWrite();
    await assertRejects(() => near.send(2), ChannelClosedError, "closed here");
    assertEquals(await far.receive(), 1);
    await assertRejects(() => far.receive(), EOFError);
    await far.send("still");
    assertEquals(await near.receive(), "still");
    await far.closeWrite();
    await assertRejects(() => near.receive(), EOFError);
  });
});

test("Channel.close() keeps what had arrived readable on both sides", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    await near.send("to far");
    await far.send("to near");
    await settle();
    await near.close();
    await settle();
    assertEquals(await near.receive(), "to near");
    assertEquals(await far.receive(), "to far");
    await assertRejects(() => near.receive(), EOFError);
    await assertRejects(() => far.receive(), EOFError);
    await assertRejects(() => near.send(1), ChannelClosedError, "closed here");
    await assertRejects(() => far.send(1), ChannelClosedError, "closed by the far side");
  });
});

test("Channel.close() of an error gives it to the other side once, after the items", async () => {
  for (const error of [new RangeError("no more"), "no more"]) {
    await withPair({}, async (pair) => {
      const { near, far } = await pair.open();
      await far.send("first");
      await far.close(error);
      await far.close(new Error("ignored"));
      assertEquals(await near.receive(), "first");
      const remote = await assertRejects(() => near.receive(), RemoteError);
      assertEquals(remote.remoteMessage, "no more");
      assertEquals(remote.remoteName, typeof error === "string" ? "Error" : "RangeError");
      assertEquals(remote.gatewayId, "gw0");
      for (let i = 0; i < 3; i++) {
        const end = await assertRejects(() => near.receive(), EOFError);
        assertEquals(end.name, "EOFError");
      }
      await near.waitClose();
      // The side that closed has only the plain end.
      await assertRejects(() => far.receive(), EOFError);
      await far.waitClose();
    });
  }
});

test("Channel.close() rejects what is neither text nor an error, and leaves the channel open", async () => {
  await withPair({}, async (pair) => {
    const { near } = await pair.open();
    for (const bad of [5, null, {}]) {
      await assertRejects(() => near.close(bad as unknown as string), TypeError);
    }
    assertEquals(near.isClosed(), false);
  });
});

test("Channel.waitClose() throws the remote error once and shares that once with receive()", async () => {
  await withPair({}, async (pair) => {
    const first = await pair.open();
    await first.far.close(new Error("boom"));
    await assertRejects(() => first.near.waitClose(), RemoteError, "boom");
    await first.near.waitClose();
    await assertRejects(() => first.near.receive(), EOFError);

    const second = await pair.open();
    const receivers = [second.near.receive(), second.near.receive(), second.near.receive()].map(watch);
    const waiting = watch(second.near.waitClose());
    await second.far.close(new Error("boom"));
    await settle();
    assertEquals(receivers.map((one) => (one.reason as Error).name), ["RemoteError", "EOFError", "EOFError"]);
    assertEquals(waiting.state, "resolved");
  });
});

test("Channel.waitClose() waits for the end of what comes, with a deadline or a signal", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    await assertRejects(() => near.waitClose({ timeout: 0 }), TimeoutError);
    await assertRejects(() => near.waitClose({ timeout: 2 }), TimeoutError, "2 ms");
    await assertRejects(() => near.waitClose({ timeout: -1 }), RangeError);
    const reason = new Error("enough");
    assert(await near.waitClose({ signal: AbortSignal.abort(reason) }).catch((error) => error) === reason);
    const waiting = watch(near.waitClose({ timeout: 60_000 }));
    await settle();
    assertEquals(waiting.state, "pending");
    await far.closeWrite();
    await settle();
    assertEquals(waiting.state, "resolved");
    await near.waitClose({ timeout: 0 });
  });
});

test("Channel.receive() polls with a timeout of 0 and loses no item to deadlines and signals", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    await assertRejects(() => far.receive({ timeout: 0 }), TimeoutError);
    await assertRejects(() => far.receive({ timeout: 1 }), TimeoutError, "channel 1");
    await assertRejects(() => far.receive({ timeout: NaN }), RangeError);
    await assertRejects(() => far.receive({ timeout: "1" as unknown as number }), TypeError);
    const controller = new AbortController();
    const first = watch(far.receive({ signal: controller.signal }));
    const second = watch(far.receive());
    controller.abort("enough");
    await near.send(1);
    await near.send(2);
    await settle();
    assertEquals([first.reason, second.value], ["enough", 1]);
    assertEquals(await far.receive({ signal: controller.signal }).catch((error) => error), "enough");
    assertEquals(await far.receive({ timeout: 0 }), 2);
  });
});

test("Channel.receive() serves those who wait in their order", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const all = Promise.all([far.receive(), far.receive(), far.receive()]);
    for (const item of ["a", "b", "c"]) await near.send(item);
    assertEquals(await all, ["a", "b", "c"]);
  });
});

test("Channel.kill() ends the channel here at once and tells the far side why", async () => {
  await withPair({}, async (pair) => {
    for (
      const [reason, name, message] of [
        [undefined, "Killed", "The execution was killed"],
        ["because", "Killed", "because"],
        [new DOMException("stopped", "AbortError"), "AbortError", "stopped"],
        [Object.assign(new Error("late"), { name: "TimeoutError" }), "TimeoutError", "late"],
      ] as const
    ) {
      pair.kills.length = 0;
      const { near, far } = await pair.open();
      await far.send("before");
      await settle();
      const pending = watch(near.receive());
      const later = watch(near.receive());
      near.kill(reason);
      near.kill("twice");
      await settle();
      assertEquals(pending.value, "before");
      const error = later.reason as RemoteError;
      assertEquals([error.name, error.remoteName, error.remoteMessage], ["RemoteError", name, message]);
      if (reason instanceof Error) assert(error.cause === reason);
      await assertRejects(() => near.receive(), EOFError);
      await assertRejects(() => near.send(1), ChannelClosedError);
      assertEquals(pair.kills.length, 1);
      assertEquals(pair.kills[0]![0], near.id);
      assertEquals((pair.kills[0]![1] as RemoteError).remoteName, name);
      await far.close();
    }
    await settle();
    assertEquals([pair.local.channelCount, pair.remote.channelCount], [0, 0]);
  });
});

test("Channel.kill() still reaches an execution whose sending has ended, and one whose channel was closed here", async () => {
  await withPair({}, async (pair) => {
    const ended = await pair.open();
    await ended.far.closeWrite();
    await settle();
    ended.near.kill("now");
    await settle();
    assertEquals(pair.kills.map(([id]) => id), [ended.near.id], "the execution goes on after kill()");
    const closed = await pair.open();
    await closed.near.close();
    closed.near.kill("now");
    await settle();
    assertEquals(pair.kills.map(([id]) => id), [ended.near.id, closed.near.id]);
  });
});

test("Channel.kill() of a further channel closes just that, on both sides", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const extra = pair.local.newChannel();
    await near.send(extra);
    const there = await far.receive() as Channel;
    extra.kill();
    assertEquals((await assertRejects(() => there.receive(), RemoteError)).remoteName, "Killed");
    assertEquals(pair.kills, []);
    await near.send("alive");
    assertEquals(await far.receive(), "alive");
  });
});

test("Channel is closed by leaving its scope", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    {
      await using scoped = near;
      await scoped.send(1);
    }
    assert(near.isClosed());
    assertEquals(await far.receive(), 1);
    await assertRejects(() => far.receive(), EOFError);
  });
});

test("Session keeps no channel of thousands that were opened and closed", async () => {
  await withPair({}, async (pair) => {
    const main = await pair.open();
    for (let i = 0; i < 2_000; i++) {
      const extra = (i % 2 === 0 ? pair.local : pair.remote).newChannel();
      const [from, to] = i % 2 === 0 ? [main.near, main.far] : [main.far, main.near];
      await from.send([extra]);
      const [other] = await to.receive() as [Channel];
      await extra.send(i);
      assertEquals(await other.receive(), i);
      switch (i % 5) {
        case 0:
          await extra.close();
          break;
        case 1:
          await other.close();
          break;
        case 2:
          await extra.closeWrite();
          await other.closeWrite();
          break;
        case 3:
          await Promise.all([extra.close("a"), other.close("b")]);
          break;
        case 4:
          extra.kill();
      }
    }
    await settle();
    assertEquals([pair.local.channelCount, pair.remote.channelCount], [1, 1]);
    await main.near.close();
    await settle();
    assertEquals([pair.local.channelCount, pair.remote.channelCount], [0, 0]);
  });
}, 60_000);

// ---- callbacks ----

const MARKER = { end: true };

/** Every way in which a channel can end, seen from the near end, which has a callback. */
const ENDINGS: readonly [string, (pair: Pair, ends: Ends) => unknown][] = [
  ["far.closeWrite()", (_, { far }) => far.closeWrite()],
  ["far.close()", (_, { far }) => far.close()],
  ["far.close(error)", (_, { far }) => far.close(new Error("x"))],
  ["near.close()", (_, { near }) => near.close()],
  ["near.close(error)", (_, { near }) => near.close(new Error("x"))],
  ["near.kill()", (_, { near }) => near.kill()],
  ["the end of the connection", (pair) => pair.localTransport.drop()],
  ["a broken connection", (pair) => pair.localTransport.drop(new Error("reset"))],
  ["Session.fail()", (pair) => pair.local.fail(new Error("x"))],
  ["Session.close()", (pair) => pair.local.close()],
];

for (const [how, end] of ENDINGS) {
  test(`Channel.setCallback() gives every item, then the endMarker exactly once, after ${how}`, async () => {
    for (const before of [true, false]) {
      await withPair({}, async (pair) => {
        const ends = await pair.open();
        for (let i = 0; i < 3; i++) await ends.far.send(i);
        await settle();
        const got: unknown[] = [];
        if (before) await end(pair, ends);
        if (before) await settle();
        ends.near.setCallback((item: unknown) => got.push(item), { endMarker: MARKER });
        await settle();
        if (!before) {
          assertEquals(got, [0, 1, 2]);
          await end(pair, ends);
        }
        await settle();
        assertEquals(got, [0, 1, 2, MARKER]);
        assert(got[3] === MARKER);
        await ends.near.close();
        await end(pair, ends);
        await settle();
        assertEquals(got.length, 4);
      });
    }
  });
}

test("Channel.setCallback() gives an endMarker of undefined, and none when none is asked for", async () => {
  await withPair({}, async (pair) => {
    const first = await pair.open();
    const second = await pair.open();
    const got: unknown[] = [];
    first.near.setCallback((item: unknown) => got.push(["first", item]), { endMarker: undefined });
    second.near.setCallback((item: unknown) => got.push(["second", item]));
    await first.far.close();
    await second.far.close();
    await settle();
    assertEquals(got, [["first", undefined]]);
  });
});

test("Channel.setCallback() awaits an async callback: never two at once", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    let running = 0;
    const got: unknown[] = [];
    near.setCallback(async (item: unknown) => {
      assertEquals(++running, 1);
      await settle();
      got.push(item);
      running--;
    }, { endMarker: "end" });
    for (let i = 0; i < 20; i++) await far.send(i);
    await far.close();
    await near.waitClose();
    assertEquals(got, [...Array(20).keys(), "end"]);
  });
});

test("Channel.setCallback() refuses a second callback, no function, and receive() besides it", async () => {
  await withPair({}, async (pair) => {
    const { near } = await pair.open();
    try {
      near.setCallback(5 as unknown as () => void);
      assert(false);
    } catch (error) {
      assert(error instanceof TypeError);
    }
    near.setCallback(() => {});
    try {
      near.setCallback(() => {});
      assert(false);
    } catch (error) {
      assert(error instanceof TypeError);
    }
    await assertRejects(() => near.receive(), TypeError);
    await assertRejects(() => near.receive({ timeout: 0 }), TypeError);
  });
});

test("Channel.setCallback() closes the channel on both sides with what the callback throws", async () => {
  for (const kind of ["throws", "rejects"] as const) {
    for (const ended of [false, true]) {
      await withPair({}, async (pair) => {
        const { near, far } = await pair.open();
        const other = await pair.open();
        const got: unknown[] = [];
        const boom = new RangeError("boom");
        near.setCallback((item: unknown) => {
          got.push(item);
          if (item !== 1) return;
          if (kind === "throws") throw boom;
          return Promise.reject(boom);
        }, { endMarker: "end" });
        for (let i = 0; i < 3; i++) await far.send(i);
        if (ended) await far.closeWrite();
        await settle();
        assertEquals(got, [0, 1, "end"]);
        assert(near.isClosed() && far.isClosed());
        const error = await assertRejects(() => far.receive(), RemoteError);
        assertEquals([error.remoteName, error.remoteMessage], ["RangeError", "boom"]);
        assert(await near.waitClose().catch((reason) => reason) === boom, `ended before: ${ended}`);
        await other.near.send("unharmed");
        assertEquals(await other.far.receive(), "unharmed");
      });
    }
  }
});

test("Channel.setCallback() that throws at the endMarker harms nothing", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const boom = new Error("boom");
    near.setCallback(() => {
      throw boom;
    }, { endMarker: 1 });
    await far.close();
    await settle();
    assert(await near.waitClose().catch((error) => error) === boom);
    assert(pair.local.alive && pair.remote.alive);
  });
});

test("Channel.waitClose() waits for a callback that has not had everything", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const gate = Promise.withResolvers<void>();
    const got: unknown[] = [];
    near.setCallback(async (item: unknown) => {
      await gate.promise;
      got.push(item);
    });
    await far.send(1);
    await far.send(2);
    await far.close();
    await assertRejects(() => near.waitClose({ timeout: 1 }), TimeoutError);
    const waiting = watch(near.waitClose());
    await settle();
    assertEquals(waiting.state, "pending");
    gate.resolve();
    await settle();
    assertEquals([waiting.state, got], ["resolved", [1, 2]]);
  });
});

// ---- iteration and streams ----

test("Channel iterates to the end, throws a remote error once, and stays open when the loop is left", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    for (let i = 0; i < 5; i++) await far.send(i);
    for await (const item of near) if (item === 1) break;
    assertEquals(near.isClosed(), false);
    await far.close(new Error("boom"));
    const got: unknown[] = [];
    const error = await assertRejects(async () => {
      for await (const item of near) got.push(item);
    }, RemoteError);
    assertStringIncludes(error.message, "boom");
    assertEquals(got, [2, 3, 4]);
    for await (const item of near) got.push(item);
    assertEquals(got.length, 3);
  });
});

test("Channel.readable is one stream: items, then the end or the error", async () => {
  await withPair({}, async (pair) => {
    const plain = await pair.open();
    assert(plain.near.readable === plain.near.readable);
    for (let i = 0; i < 3; i++) await plain.far.send(i);
    await plain.far.close();
    assertEquals(await Array.fromAsync(plain.near.readable), [0, 1, 2]);
    const failing = await pair.open();
    await failing.far.send(0);
    await failing.far.close(new Error("boom"));
    const reader = failing.near.readable.getReader();
    assertEquals((await reader.read()).value, 0);
    await assertRejects(() => reader.read(), RemoteError, "boom");
  });
});

test("Channel.readable takes nothing before it is read", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    await far.send(1);
    const { readable } = near;
    await settle();
    assertEquals(await near.receive(), 1);
    await far.send(2);
    assertEquals((await readable.getReader().read()).value, 2);
  });
});

test("Channel.readable.cancel() closes the channel, with its reason", async () => {
  await withPair({}, async (pair) => {
    for (const reading of [false, true]) {
      const { near, far } = await pair.open();
      const reader = near.readable.getReader();
      const read = reading ? watch(reader.read()) : undefined;
      await reader.cancel(new Error("enough"));
      await settle();
      assert(near.isClosed() && far.isClosed());
      await assertRejects(() => far.receive(), RemoteError, "enough");
      if (read !== undefined) assertEquals(read.state, "resolved");
      const quiet = await pair.open();
      await quiet.near.readable.cancel();
      await assertRejects(() => quiet.far.receive(), EOFError);
    }
  });
});

test("Channel.writable is one stream that sends; closing it ends the direction", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    assert(near.writable === near.writable);
    const writer = near.writable.getWriter();
    for (let i = 0; i < 3; i++) await writer.write(i);
    await writer.close();
    assertEquals(await Array.fromAsync(far), [0, 1, 2]);
    assertEquals([state(near), state(far)], ["receive-only", "send-only"]);
  });
});

test("Channel.writable.abort() closes the channel with its reason, also while a write waits", async () => {
  for (const stalled of [false, true]) {
    await withPair({}, async (pair) => {
      const { near, far } = await pair.open();
      const writer = near.writable.getWriter();
      writer.closed.catch(() => {});
      const writes = Array.from(
        { length: stalled ? 60 : 1 },
        () => watch(writer.write(new Uint8Array(50_000))),
      );
      await settle();
      assertEquals(writes.some((one) => one.state === "pending"), stalled);
      const aborted = watch(writer.abort(new Error("enough")));
      await settle();
      assertEquals(aborted.state, "resolved", "abort() waits for a write that waits for the reader");
      assert(near.isClosed());
      assert(writes.every((one) => one.state !== "pending"));
      const end = await (async () => {
        while (true) await far.receive();
      })().catch((error) => error);
      assertEquals([end.name, end.remoteMessage], ["RemoteError", "enough"]);
    });
  }
});

test("Channel.writable fails when the channel is closed by the far side", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const writer = near.writable.getWriter();
    writer.closed.catch(() => {});
    await far.close();
    await settle();
    await assertRejects(() => writer.write(1), ChannelClosedError);
  });
});

test("Channel.readable and writable carry a stream through both sides", async () => {
  await withPair({}, async (pair) => {
    const { near, far } = await pair.open();
    const echo = far.readable.pipeTo(far.writable);
    const items = Array.from({ length: 500 }, (_, i) => new Uint8Array(10_000).fill(i & 0xff));
    const sending = ReadableStream.from(items).pipeTo(near.writable);
    let n = 0;
    for await (const item of near.readable) assertEquals((item as Uint8Array)[9_999], n++ & 0xff);
    assertEquals(n, 500);
    await Promise.all([echo, sending]);
    await settle();
    assertEquals([pair.local.channelCount, pair.remote.channelCount], [0, 0]);
  });
});
