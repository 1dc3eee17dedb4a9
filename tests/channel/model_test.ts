import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { Channel } from "../../channel/channel.ts";
import { settle, test, watch } from "../helpers/bounded.ts";
import type { Watched } from "../helpers/bounded.ts";
import { forSeeds, type Random, seeds } from "../helpers/seeded.ts";
import { Pair } from "../helpers/sessions.ts";

/** What one direction of a channel must do, in the simplest words: a list, and how it ends. */
interface Direction {
  /** Items that were accepted or wait to be, and have not been received. */
  items: number[];
  /** The sender will send nothing more; what it sent still arrives. */
  senderEnded: boolean;
  /** The error that the receiver gets once, behind the items. */
  error: "none" | "remote" | "given";
  /** The receiver takes nothing more; what had arrived stays. */
  receiverEnded: boolean;
}

interface Side {
  channel: Channel;
  out: Direction;
  into: Direction;
}

const SMALL_RUN_STEPS = 40;

/** Sizes: mostly small, now and then large enough to be cut into parts or to fill the window. */
function sizeOf(random: Random): number {
  return random.chance(0.9) ? 4 + random.below(50) : 4 + random.below(random.chance(0.9) ? 40_000 : 700_000);
}

function makeItem(n: number, size: number): Uint8Array {
  const item = new Uint8Array(size);
  new DataView(item.buffer).setUint32(0, n);
  return item;
}

/** Lets the transport work in a part of the cases, so that operations also cross on their way. */
async function maybeSettle(random: Random): Promise<boolean> {
  if (!random.chance(0.5)) return false;
  await settle();
  return true;
}

function newDirection(): Direction {
  return { items: [], senderEnded: false, error: "none", receiverEnded: false };
}

/** One short life of a channel against the model. Returns its steps. */
async function live(pair: Pair, random: Random): Promise<number> {
  const { near, far } = await pair.open();
  const [there, back] = [newDirection(), newDirection()];
  const sides: Side[] = [
    { channel: near, out: there, into: back },
    { channel: far, out: back, into: there },
  ];
  const sends: { watched: Watched<void>; allowed: boolean }[] = [];
  /** Whether a close is under way that the other side has not seen: then what is under way may be dropped. */
  const lossy = [false, false];
  let next = 1;
  let steps = 0;
  const isEnded = (side: Side): boolean => Channel.endOf(side.channel).receiveEnded;

  const receiveOne = async (at: number): Promise<void> => {
    const side = sides[at]!;
    // Decided at once; what arrives while the promise is looked at does not count.
    const endedBefore = isEnded(side);
    const got = watch(side.channel.receive({ timeout: 0 }));
    while (got.state === "pending") await Promise.resolve();
    if (got.state === "resolved") {
      const item = got.value as Uint8Array;
      const n = new DataView(item.buffer, item.byteOffset).getUint32(0);
      assertEquals(n, side.into.items[0], "another item than the next one");
      side.into.items.shift();
      return;
    }
    const { name } = got.reason as Error;
    if (name === "TimeoutError") {
      assert(!endedBefore, "a timeout after the end");
      return;
    }
    assert(endedBefore, `${name} before the end`);
    if (name === "RemoteError") {
      assert(side.into.error === "remote", "an error that nobody gave, or twice");
      side.into.error = "given";
    } else assertEquals(name, "EOFError");
    // Everything arrives before the end, unless one of the two sides gave the rest up.
    if (!lossy[at]) assertEquals(side.into.items, [], "the end came before the items");
    assert(name !== "EOFError" || side.into.error !== "remote" || lossy[at], "the error was lost");
  };

  for (; steps < SMALL_RUN_STEPS; steps++) {
    const at = random.below(2);
    const side = sides[at]!;
    const what = random.below(100);
    if (what < 45) {
      const n = next++;
      const allowed = Channel.endOf(side.channel).state === "open" ||
        Channel.endOf(side.channel).state === "send-only";
      sends.push({ watched: watch(side.channel.send(makeItem(n, sizeOf(random)))), allowed });
      assert(!(allowed && side.out.senderEnded), "a send is possible after the end of sending");
      if (allowed) side.out.items.push(n);
    } else if (what < 92) {
      await receiveOne(at);
    } else if (what < 96) {
      side.channel.closeWrite();
      side.out.senderEnded = true;
    } else {
      const wasClosed = side.channel.isClosed();
      const withError = random.chance(0.5);
      if (what < 99) side.channel.close(withError ? new Error("given") : undefined);
      else if (at === 0) side.channel.kill();
      else side.channel.close();
      // What the other side sends from now on, or has under way, is dropped here.
      lossy[at] = true;
      if (what === 99 && at === 0) {
        if (!wasClosed && !side.into.receiverEnded && side.into.error === "none") side.into.error = "remote";
        lossy[0] = lossy[1] = true;
        // What an agent does when it is told to end the execution.
        far.close();
      } else if (!wasClosed && withError && what < 99) {
        // Two that cross, or an end before it, may hide the error; one alone may not.
        if (side.out.error === "none" && !side.out.senderEnded && !lossy[1 - at]) side.out.error = "remote";
      }
      side.out.senderEnded = true;
      side.into.receiverEnded = true;
    }
    await maybeSettle(random);
  }

  // The end: both sides close in order; all that is owed is received.
  near.closeWrite();
  far.closeWrite();
  for (let at = 0; at < 2; at++) {
    const side = sides[at]!;
    for (let turn = 0; turn < 200; turn++) {
      await settle();
      const before = side.into.items.length;
      await receiveOne(at);
      if (isEnded(side) && !Channel.endOf(side.channel).hasItem && before === side.into.items.length) break;
    }
    if (!lossy[at]) assertEquals(side.into.items, [], "items are missing");
  }
  await settle();
  for (const { watched, allowed } of sends) {
    assert(watched.state !== "pending", "a send hangs after the end of its channel");
    if (!allowed) assertEquals((watched.reason as Error)?.name, "ChannelClosedError");
    if (watched.state === "rejected") assertEquals((watched.reason as Error).name, "ChannelClosedError");
    if (!lossy[0] && !lossy[1] && allowed) assertEquals(watched.state, "resolved");
  }
  assert(near.isClosed() && far.isClosed());
  assertEquals([pair.local.channelCount, pair.remote.channelCount], [0, 0]);
  for (const session of [pair.local, pair.remote]) {
    if (!session.alive) throw await session.ended;
  }
  return steps;
}

for (let part = 0; part < 5; part++) {
  test(`Channel does what a simple model says, for 40,000 random steps (part ${part + 1})`, async () => {
    let steps = 0;
    await forSeeds(seeds(50, 1 + 50 * part), async (random) => {
      const pair = new Pair({
        ...(random.chance(0.5) ? { random } : {}),
        messages: random.chance(0.3),
        capacity: random.pick([1, 4_000, 1_000_000]),
        local: { fragmentBytes: random.pick([2_000, 262_144]) },
      });
      try {
        for (let run = 0; run < 20; run++) steps += await live(pair, random);
      } finally {
        await pair.end();
      }
    });
    assert(steps >= 40_000 || Deno.env.has("EXECNET_TEST_SEED"), `${steps} steps`);
  }, 60_000);
}
