/** What a service's far side knows by number. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import type { SentFunction } from "../../gateway/process/job.ts";
import { SentFunctions } from "../../gateway/sent_functions.ts";
import type { Shipment } from "../../gateway/shipping/shipping.ts";

function shipment(text: string, wanted?: string): Shipment {
  return {
    text,
    name: "name",
    kind: "function",
    readStack: (stack) => stack,
    ...(wanted === undefined ? {} : { module: { export: wanted, typescript: false } }),
  };
}

/** The far side's numbers, as it keeps them. */
class Far {
  readonly numbers = new Set<number>();
  characters = 0;
  readonly #lengths = new Map<number, number>();

  take(fn: SentFunction): void {
    for (const number of fn.forget ?? []) {
      assert(this.numbers.delete(number), `${number} is forgotten twice`);
      this.characters -= this.#lengths.get(number)!;
    }
    assert(fn.of === undefined || this.numbers.has(fn.of), "the module is there");
    assert(!this.numbers.has(fn.id), "the number is free");
    this.numbers.add(fn.id);
    this.#lengths.set(fn.id, fn.source?.length ?? 0);
    this.characters += fn.source?.length ?? 0;
  }
}

function send(near: SentFunctions, far: Far, one: Shipment): SentFunction | number {
  const fn = near.find(one);
  if (typeof fn === "number") {
    assert(far.numbers.has(fn));
    return fn;
  }
  far.take(fn);
  near.sent(fn, one);
  return fn;
}

Deno.test("SentFunctions sends a text once, and a module once for all of its exports", () => {
  const near = new SentFunctions();
  const far = new Far();
  assertEquals(send(near, far, shipment("f")), { id: 1, name: "name", source: "f" });
  assertEquals(send(near, far, shipment("f")), 1);
  const module = (wanted: string): SentFunction["module"] => ({ export: wanted, typescript: false });
  assertEquals(send(near, far, shipment("m", "a")), {
    id: 2,
    name: "name",
    module: module("a"),
    source: "m",
  });
  assertEquals(send(near, far, shipment("m", "b")), { id: 3, name: "name", module: module("b"), of: 2 });
  assertEquals([send(near, far, shipment("m", "b")), send(near, far, shipment("m", "a"))], [3, 2]);
});

Deno.test("SentFunctions sends a module again that has failed, and tells the numbers that are free", () => {
  const near = new SentFunctions();
  const far = new Far();
  send(near, far, shipment("m", "a"));
  send(near, far, shipment("m", "b"));
  near.lost(shipment("m", "b"), 2);
  near.lost(shipment("m", "a"), 1);
  const again = send(near, far, shipment("m", "a")) as SentFunction;
  assertEquals([again.source, again.of, again.forget], ["m", undefined, [1, 2]]);
  // An answer that is late concerns what was there before.
  near.lost(shipment("m", "b"), 2);
  assertEquals(send(near, far, shipment("m", "a")), again.id);
});

Deno.test("SentFunctions forgets the oldest texts beyond 512 of them, or 16 Mi characters", () => {
  const near = new SentFunctions();
  const far = new Far();
  for (let i = 0; i < 600; i++) {
    send(near, far, shipment(`f${i}`));
    send(near, far, shipment(`f${i}`, "a"));
    assert(far.numbers.size <= 512);
  }
  assertEquals(far.numbers.size, 512);
  assertEquals(typeof near.find(shipment("f599")), "number");
  assertEquals(typeof near.find(shipment("f0")), "object");
  const large = "x".repeat(5_000_000);
  for (let i = 0; i < 10; i++) send(near, far, shipment(`${i}${large}`, "a"));
  assert(far.characters <= 16 * 1024 * 1024);
  assertEquals(typeof near.find(shipment(`9${large}`, "a")), "number");
  send(near, far, shipment("y".repeat(20_000_000)));
  assertEquals(far.numbers.size, 1);
});

Deno.test("SentFunctions knows nothing of what could not be sent", () => {
  const near = new SentFunctions();
  near.find(shipment("f"));
  const again = near.find(shipment("f"));
  assertEquals(typeof again, "object");
});
