import { assert, assertEquals, assertRejects, assertStrictEquals } from "jsr:@std/assert@^1.0.19";
import { setImmediate } from "node:timers";
import { inTurns, Stint } from "../../channel/turn.ts";
import { test } from "../helpers/bounded.ts";

/** What would go on for ever is given up after this, as a test's own limit has no turn then. */
const GIVEN_UP_MS = 10_000;

/** Counts the turns that a timer has while something goes on, which ends when there were some. */
async function turnsBeside(step: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const end = performance.now() + GIVEN_UP_MS;
  while (turns < 3 && performance.now() < end) await step();
  clearInterval(timer);
  return turns;
}

test("inTurns() lets others have their turn beside what always finds more to read", async () => {
  const read = inTurns((into) => Promise.resolve(into.length));
  const bytes = new Uint8Array(5);
  assertEquals(await turnsBeside(async () => assertEquals(await read(bytes), 5)), 3);
});

/** A read that has to wait. */
function waited(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Reads for so long. Gives how many of the reads came after a pause. */
async function pausesIn(ms: number, read: () => Promise<unknown>): Promise<number> {
  const stint = new Stint();
  let pauses = 0;
  for (const end = performance.now() + ms; performance.now() < end;) {
    let reading: Promise<unknown> | undefined;
    const taken = stint.take(() => reading = read());
    // Without a pause it has begun at once.
    if (reading === undefined) pauses++;
    await taken;
  }
  return pauses;
}

test("Stint.take() makes no pause where reads have to wait, and few where they need not", async () => {
  assertEquals(await pausesIn(200, waited), 0);
  const pauses = await pausesIn(200, () => Promise.resolve(1));
  assert(pauses > 0 && pauses <= 10, `${pauses} pauses`);
});

test("Stint.take() waits for no clock that somebody has put in the place of the system's", async () => {
  const { setTimeout } = globalThis;
  const { timeout } = AbortSignal;
  const limit = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => limit.resolve(undefined), 5_000);
  globalThis.setTimeout = (() => 0) as unknown as typeof setTimeout;
  AbortSignal.timeout = () => new AbortController().signal;
  try {
    const pauses = await Promise.race([pausesIn(100, () => Promise.resolve(1)), limit.promise]);
    assert(pauses !== undefined && pauses > 0, `${pauses} pauses`);
  } finally {
    globalThis.setTimeout = setTimeout;
    AbortSignal.timeout = timeout;
    clearTimeout(timer);
  }
});

test("Stint.take() gives what a read gives, without a promise of its own while no pause is due", () => {
  const reading = Promise.resolve(1);
  assertStrictEquals(new Stint().take(() => reading), reading);
});

test("Stint.take() passes on what a read fails with, when a pause is due, too", async () => {
  const stint = new Stint();
  const end = performance.now() + 100;
  let failures = 0;
  while (performance.now() < end) {
    await assertRejects(() => stint.take(() => Promise.reject(new RangeError("gone"))), RangeError, "gone");
    failures++;
  }
  assert(failures > 10);
});
