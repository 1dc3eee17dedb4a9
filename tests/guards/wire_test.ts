/** What items, calls and channels cost on a connection, counted in memory: writes, frames, bytes, promises. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import v8 from "node:v8";
import type { Channel } from "../../channel/channel.ts";
import { Session } from "../../channel/session.ts";
import { Host } from "../../gateway/agent/host.ts";
import { CallServer } from "../../gateway/calls.ts";
import { linkTransport } from "../../gateway/process/link.ts";
import type { Shipment } from "../../gateway/shipping/shipping.ts";
import { settle, test } from "../helpers/bounded.ts";
import { memoryTransports } from "../helpers/memory_transport.ts";
import { withPair } from "../helpers/sessions.ts";
import { atMost } from "./bounds.ts";
import { countTraffic } from "./traffic.ts";
import type { Traffic } from "./traffic.ts";

/** What a connection to a process takes of one channel at once. */
const { writeBudget } = linkTransport({
  read: () => Promise.resolve(null),
  write: ({ length }) => Promise.resolve(length),
  close: () => {},
});

interface Passing {
  readonly near: Channel;
  readonly far: Channel;
  readonly session: Session;
}

/** What each side writes while `body` runs, and until all that follows from it is done. */
async function traffic(body: (passing: Passing) => Promise<void>): Promise<[there: Traffic, back: Traffic]> {
  let counted: [Traffic, Traffic] | undefined;
  await withPair({ writeBudget }, async (pair) => {
    const { near, far } = await pair.open();
    await settle();
    counted = [countTraffic(pair.localTransport), countTraffic(pair.remoteTransport)];
    await body({ near, far, session: pair.local });
    await settle();
  });
  return counted!;
}

/** How many promises are made while `body` runs. */
async function promisesOf(body: () => Promise<void>): Promise<number> {
  let count = 0;
  const stop = v8.promiseHooks.onInit(() => count++) as unknown as () => void;
  try {
    await body();
  } finally {
    stop();
  }
  return count;
}

async function take(channel: Channel, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await channel.receive();
}

const TRIPS = 100;
const NOTHING: Traffic = { writes: 0, bytes: 0, frames: {} };
/** A header and a number of one byte. */
const SMALL_BYTES = 13;

test("a small item there and back is one write, one frame and 13 bytes each way, and 63 promises", async () => {
  let promises = 0;
  const both = await traffic(async ({ near, far }) => {
    promises = await promisesOf(async () => {
      const answering = (async () => {
        for (let i = 0; i < TRIPS; i++) await far.send(await far.receive());
      })();
      for (let i = 0; i < TRIPS; i++) {
        await near.send(i);
        await near.receive();
      }
      await answering;
    });
  });
  const each = { writes: TRIPS, bytes: TRIPS * SMALL_BYTES, frames: { DATA: TRIPS } };
  assertEquals(both, [each, each]);
  // Most are those of the memory's turns and of the writer, which looks whether more is sent.
  atMost("promises of a round trip", promises / TRIPS, 63, 1.05);
});

const BURST = 10_000;
/** What the numbers below 10,000 take without headers: 1, 2 or 3 bytes each. */
const BURST_BYTES = 128 + 128 * 2 + (BURST - 256) * 3;
const HEADER_BYTES = 12;

test("10,000 small items of one turn are two writes and five frames", async () => {
  let promises = 0;
  const both = await traffic(async ({ near, far }) => {
    promises = await promisesOf(async () => {
      const taken = take(far, BURST);
      for (let i = 0; i < BURST; i++) void near.send(i);
      await taken;
    });
  });
  const bytes = BURST_BYTES + 5 * HEADER_BYTES;
  assertEquals(both, [{ writes: 2, bytes, frames: { DATA: 5 } }, NOTHING]);
  atMost("promises of an item", promises / BURST, 2, 1.05);
});

test("10,000 small items of a loop that awaits each are ten writes and 13 frames", async () => {
  let promises = 0;
  const both = await traffic(async ({ near, far }) => {
    promises = await promisesOf(async () => {
      const taken = take(far, BURST);
      for (let i = 0; i < BURST; i++) await near.send(i);
      await taken;
    });
  });
  const bytes = BURST_BYTES + 13 * HEADER_BYTES;
  assertEquals(both, [{ writes: 10, bytes, frames: { DATA: 13 } }, NOTHING]);
  atMost("promises of an item", promises / BURST, 3, 1.05);
});

test("1 MiB is four writes, five frames and 66 bytes more than itself, and its reader's credit half a frame", async () => {
  const count = 64;
  const item = new Uint8Array(1024 * 1024);
  const [there, back] = await traffic(async ({ near, far }) => {
    const taken = take(far, count);
    for (let i = 0; i < count; i++) await near.send(item);
    await taken;
  });
  assertEquals(there, {
    writes: 4 * count,
    bytes: (item.length + 66) * count,
    frames: { DATA: 5 * count },
  });
  assertEquals(back.frames, { CREDIT: 36 });
});

test("a channel that is sent and closed is an OPEN, its item and a CLOSE, and nothing comes back for it", async () => {
  const count = 1_000;
  const [there, back] = await traffic(async ({ near, far, session }) => {
    const taken = (async () => {
      for (let i = 0; i < count; i++) await (await far.receive() as Channel).waitClose();
    })();
    for (let i = 0; i < count; i++) {
      const channel = session.newChannel();
      await near.send(channel);
      await channel.close();
    }
    await taken;
  });
  assertEquals(there, { writes: 9, bytes: 33_957, frames: { OPEN: count, DATA: 7, CLOSE: count } });
  assertEquals(back, NOTHING);
});

const INCREMENT: Shipment = {
  text: "(n) => n + 1",
  name: "increment",
  kind: "function",
  readStack: (stack) => stack,
};

interface Served {
  readonly session: Session;
  /** What each side writes while `body` runs, and until all that follows from it is done. */
  count(body: () => Promise<void>): Promise<[there: Traffic, back: Traffic]>;
}

/** Runs `body` with a session whose far side executes, as that of `execmodel=main` does. */
async function served(body: (served: Served) => Promise<void>): Promise<void> {
  const [near, far] = memoryTransports({ writeBudget });
  const session = new Session(near, { name: "gw0", firstId: 1 });
  const host = new Host(far, { name: "gw0", firstId: 2, shared: true });
  session.start();
  try {
    await body({
      session,
      count: async (counted) => {
        const both: [Traffic, Traffic] = [countTraffic(near), countTraffic(far)];
        await counted();
        await settle();
        return both;
      },
    });
  } finally {
    session.fail(undefined);
    host.session.fail(undefined);
    await settle();
  }
}

test("a call is a frame of 17 bytes there and one of 16 back, and 68 promises; a hundred at once are one write", async () => {
  await served(async ({ session, count }) => {
    const service = session.exec({ service: true }, { item: { kind: "calls" } });
    const server = new CallServer(session.facade(service), undefined);
    const call = async (n: number): Promise<void> => assertEquals(await server.call(INCREMENT, [n]), n + 1);
    await call(1); // its text travels once
    await settle();

    let promises = 0;
    const inTurn = await count(async () => {
      promises = await promisesOf(async () => {
        for (let i = 0; i < TRIPS; i++) await call(7);
      });
    });
    assertEquals(inTurn, [
      { writes: TRIPS, bytes: TRIPS * 17, frames: { DATA: TRIPS } },
      { writes: TRIPS, bytes: TRIPS * 16, frames: { DATA: TRIPS } },
    ]);
    atMost("promises of a call", promises / TRIPS, 68, 1.05);

    const atOnce = await count(async () => {
      await Promise.all(Array.from({ length: TRIPS }, () => call(7)));
    });
    assertEquals(atOnce.map(({ writes, frames }) => ({ writes, frames })), [
      { writes: 1, frames: { DATA: 2 } },
      { writes: 9, frames: { DATA: 9 } },
    ]);
  });
});

test("an execution is one write there, with its code, and two back, with its item and its end", async () => {
  await served(async ({ session, count }) => {
    const executed = await count(async () => {
      const end = session.exec({}, { item: { kind: "text", source: "await channel.send(1)", name: "" } });
      const channel = session.facade(end);
      assertEquals(await channel.receive(), 1);
      await channel.waitClose();
    });
    assertEquals(executed, [
      { writes: 1, bytes: 71, frames: { EXEC: 1, DATA: 1 } },
      { writes: 2, bytes: 25, frames: { DATA: 1, CLOSE: 1 } },
    ]);
  });
});
