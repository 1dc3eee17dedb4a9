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

/** How many timers are set while something is done. */
async function timersOf(work: () => Promise<void>): Promise<number> {
  const { setTimeout } = globalThis;
  let count = 0;
  globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
    count++;
    return setTimeout(...args);
  }) as typeof setTimeout;
  try {
    await work();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  return count;
}

/** A read that has to wait. */
function waited(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function readFor(ms: number, stint: Stint, read: () => Promise<unknown>): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end;) await stint.take(read);
}

test("Stint.take() makes no pause where reads have to wait, and few where they need not", async () => {
  const stint = new Stint();
  // The test's own timer is set behind its first step.
  await waited();
  assertEquals(await timersOf(() => readFor(200, stint, waited)), 0);
  const pauses = await timersOf(() => readFor(200, stint, () => Promise.resolve(1)));
  assert(pauses > 0 && pauses <= 10, `${pauses} pauses`);
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
