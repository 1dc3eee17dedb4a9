/** A short soak, and that its books find what they are there for. */

import { assert, assertEquals, assertMatch, assertThrows } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { end, startFile } from "../integration/program.ts";
import { judge } from "./gauges.ts";
import { Tally } from "./items.ts";
import type { Parcel } from "./items.ts";
import { mixOf } from "./kinds.ts";
import { Ledger } from "./ledger.ts";
import type { Ending } from "./ledger.ts";

/** The same traffic every time, as far as its order depends on nothing else. */
const SEED = 2026;

test("a short soak loses nothing, and leaves nothing", async () => {
  const program = startFile(
    new URL("./main.ts", import.meta.url).pathname,
    ["--minutes", "0.06", "--gateways", "9", "--channels", "20", "--seed", String(SEED)],
    ["-A", "--v8-flags=--expose-gc", "--unstable-worker-options"],
  );
  const { code } = await end(program, 150_000);
  assertEquals(code, 0, `${program.stderr.text}\n${program.stdout.text}`);
  const text = program.stdout.text;
  // All of it has happened: every way of ending but those of chance, and every gauge.
  assertMatch(text, /^read to the end +\d{3,} /m);
  assertMatch(text, /^(?:gateway (?:killed|ended)|execution killed) +\d+ /m);
  assertMatch(text, /^agent's memory, popen main, MiB .* flat$/m);
  assert(!text.includes("GROWS"), text);
}, 160_000);

/** The books of one channel: sent and received here, and what the far side says. */
function wrongsOf(
  ending: Ending,
  here: Partial<Tally>,
  there?: [sent: number, got: number, how?: string],
): string {
  const ledger = new Ledger();
  const report = there && [1, there[0], there[1], there[2] ?? ""] as [number, number, number, string];
  ledger.ended(ending, "lane", Object.assign(new Tally(), here), report);
  return ledger.wrongs.join("\n");
}

test("Ledger.ended() finds what a channel's end does not explain", () => {
  assertEquals(wrongsOf("read to the end", { sent: 5, got: 7, confirmed: 5 }, [7, 5]), "");
  assertMatch(wrongsOf("read to the end", { sent: 5, got: 7 }, [7, 4]), /4 of 5 items arrived there/);
  assertMatch(wrongsOf("read to the end", { sent: 5, got: 6 }, [7, 5]), /6 of 7 items arrived here/);
  assertMatch(wrongsOf("read to the end", { sent: 5, got: 8 }, [7, 5]), /8 of 7 items arrived here/);
  assertMatch(wrongsOf("read to the end", {}, [0, 0, "Error: Item 3 is not"]), /says: Error: Item 3/);
  assertEquals(wrongsOf("closed here", { sent: 5, got: 6 }, [7, 5]), "");
  assertMatch(wrongsOf("closed here", { sent: 5, got: 6 }, [7, 4]), /4 of 5 items arrived there/);
  assertEquals(wrongsOf("closed there", { sent: 5, got: 7 }, [7, 4]), "");
  assertMatch(wrongsOf("failed there", { sent: 5, got: 6 }, [7, 4]), /6 of 7 items arrived here/);
  assertMatch(wrongsOf("killed", { sent: 5, got: 7 }, [6, 5]), /7 of 6 items/);
  assertMatch(wrongsOf("killed", { sent: 5, confirmed: 4 }, [6, 3]), /4 items were confirmed, 3 arrived/);
  assertEquals(wrongsOf("gateway killed", { sent: 5, got: 7, confirmed: 2 }), "");
  assertMatch(wrongsOf("gateway killed", {}, [1, 1]), /still tells/);
  assertMatch(wrongsOf("read to the end", {}), /has not told/);
});

test("Tally.open() takes the next item only, whole", () => {
  const sender = new Tally();
  const parcels = [1, new Uint8Array(9), { a: [1] }].map((body) => sender.wrap(body));
  const open = (...items: unknown[]): void => {
    const receiver = new Tally();
    receiver.sent = 1;
    for (const item of items) receiver.open(item);
  };
  const [first, second, third] = parcels as [Parcel, Parcel, Parcel];
  open(first, second, third);
  assertThrows(() => open(first, first), Error, "Item 0 came in place of 1");
  assertThrows(() => open(first, third), Error, "Item 2 came in place of 1");
  assertThrows(() => open([0, 0, first[2], 2]), Error, "not what was sent");
  const spoilt = new Uint8Array(9);
  spoilt[8] = 1;
  assertThrows(() => open(first, [1, 0, second[2], spoilt]), Error, "not what was sent");
  assertThrows(() => open([0, 2, first[2], 1]), Error, "2 of 1 items");
});

test("judge() tells growth from noise", () => {
  const verdictOf = (name: string, values: number[]): boolean =>
    judge(values.map((value, minutes) => ({ minutes, reading: new Map([[name, value]]) })))[0]!.flat;
  assert(verdictOf("caller's heap", [60, 66, 59, 65, 58, 61]));
  assert(!verdictOf("caller's heap", [60, 62, 64, 66, 68, 70]));
  assert(!verdictOf("caller's heap", [60, 60, 60, 60, 60, 67]));
  assert(!verdictOf("agent's memory, popen main", [20, 31, 44, 38, 60, 55]));
  assert(verdictOf("processes", [30, 30, 30]));
  assert(!verdictOf("processes", [30, 30, 31]));
  assert(!verdictOf("folders", [3, 3, 2]));
  assert(!verdictOf("descriptors", [100, 103, 105]));
});

test("mixOf() has one of each kind, and most of the light ones", () => {
  assertEquals(new Set(mixOf(8)).size, 8);
  const mix = mixOf(100);
  assertEquals(mix.length, 100);
  assertEquals(mix.filter(({ name }) => name === "popen main").length, 60);
  assertEquals(new Set(mixOf(7, "worker")).size, 1);
  assertThrows(() => mixOf(5, "no such kind"), RangeError);
});
