import { assert, assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { ProtocolError } from "../../channel/errors.ts";
import { MAX_BYPASS_PAYLOAD_BYTES } from "../../channel/frame.ts";
import {
  FRAME_COST_BYTES,
  MAX_WINDOW_BYTES,
  OVERDRAFT_BYTES,
  ReceiveWindow,
  SendWindow,
  WINDOW_BYTES,
} from "../../channel/window.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";

test("SendWindow.open is true until the credit is spent", () => {
  const window = new SendWindow();
  assert(window.open);
  window.spend(WINDOW_BYTES - 1);
  assert(window.open);
  window.spend(OVERDRAFT_BYTES);
  assert(!window.open);
  window.grant(OVERDRAFT_BYTES - 1);
  assert(!window.open);
  window.grant(1);
  assert(window.open);
});

test("SendWindow.grant() refuses more than a window can hold", () => {
  const window = new SendWindow();
  window.grant(MAX_WINDOW_BYTES - WINDOW_BYTES);
  assertThrows(() => window.grant(1), ProtocolError);
  const other = new SendWindow();
  other.spend(10);
  other.grant(MAX_WINDOW_BYTES - WINDOW_BYTES + 10);
  assertThrows(() => other.grant(1), ProtocolError);
  assertThrows(() => new SendWindow().grant(0xffffffff), ProtocolError);
});

test("ReceiveWindow.arrived() refuses what no sender had credit for", () => {
  const window = new ReceiveWindow();
  window.arrived(WINDOW_BYTES - 1);
  window.arrived(OVERDRAFT_BYTES + 1);
  assertEquals(window.unread, WINDOW_BYTES + OVERDRAFT_BYTES);
  assertThrows(() => window.arrived(1), ProtocolError);
});

test("ReceiveWindow.consumed() grants in portions, and in the end all", () => {
  const window = new ReceiveWindow();
  window.arrived(WINDOW_BYTES);
  assertEquals(window.consumed(WINDOW_BYTES / 2 - 1, false), 0);
  assertEquals(window.unread, WINDOW_BYTES / 2 + 1);
  assertEquals(window.consumed(1, false), WINDOW_BYTES / 2);
  assertEquals(window.unread, WINDOW_BYTES / 2);
  assertEquals(window.consumed(WINDOW_BYTES / 2, false), WINDOW_BYTES / 2);
  assertEquals(window.unread, 0);
  assertEquals(window.size, WINDOW_BYTES);
});

test("ReceiveWindow grows for an eager reader only, and only so far", () => {
  const window = new ReceiveWindow();
  let granted = 0;
  for (let i = 0; i < 40; i++) {
    window.arrived(WINDOW_BYTES / 2);
    granted += window.consumed(WINDOW_BYTES / 2, true);
    assert(window.size <= MAX_WINDOW_BYTES);
  }
  assertEquals(window.size, MAX_WINDOW_BYTES);
  assert(granted <= 40 * WINDOW_BYTES / 2 + MAX_WINDOW_BYTES - WINDOW_BYTES);
});

test("ReceiveWindow.consumed() grants smaller portions to an eager reader", () => {
  const window = new ReceiveWindow();
  const portion = WINDOW_BYTES / 4;
  window.arrived(WINDOW_BYTES);
  assertEquals(window.consumed(portion - 1, true), 0);
  assertEquals(window.consumed(1, false), 0, "not eager any more");
  assertEquals(window.consumed(1, true), portion + 1);
  assertEquals(window.size, WINDOW_BYTES);
});

test("ReceiveWindow grows when its reader is eager at last, whatever was granted before", () => {
  const window = new ReceiveWindow();
  window.arrived(WINDOW_BYTES);
  assertEquals(window.consumed(WINDOW_BYTES / 2, false), WINDOW_BYTES / 2);
  assertEquals(window.size, WINDOW_BYTES);
  // Not worth a frame for itself, but the window has a reason to grow.
  assertEquals(window.consumed(1, true), WINDOW_BYTES + 1);
  assertEquals(window.size, 2 * WINDOW_BYTES);
  // Less than half of what it is now.
  window.arrived(WINDOW_BYTES / 2);
  assertEquals(window.consumed(WINDOW_BYTES - 1, true), WINDOW_BYTES - 1);
  assertEquals(window.size, 2 * WINDOW_BYTES);
});

test("ReceiveWindow.size is at most its first size and twice what was consumed", async () => {
  await forSeeds(seeds(20), (random) => {
    const window = new ReceiveWindow();
    for (let consumed = 0; window.size < MAX_WINDOW_BYTES;) {
      const bytes = random.between(1, MAX_BYPASS_PAYLOAD_BYTES);
      window.arrived(bytes);
      consumed += bytes;
      window.consumed(bytes, random.chance(0.5));
      assert(window.size <= WINDOW_BYTES + 2 * consumed);
    }
  });
});

test("SendWindow and ReceiveWindow keep their sums on random walks", async () => {
  await forSeeds(seeds(60), (random) => {
    const sender = new SendWindow();
    const receiver = new ReceiveWindow();
    const flying: number[] = [];
    const grants: number[] = [];
    const unread: number[] = [];
    const eagerness = random.pick([0, 0.1, 1]);
    let credit = WINDOW_BYTES;
    let consumedTotal = 0;
    let returned = 0;
    const sum = (list: number[]) => list.reduce((a, b) => a + b, 0);
    const consume = (eager: boolean): void => {
      const cost = unread.shift()!;
      consumedTotal += cost;
      const before = receiver.size;
      const grant = receiver.consumed(cost, eager);
      if (!eager) assertEquals(receiver.size, before);
      returned += grant - (receiver.size - before);
      if (grant > 0) grants.push(grant);
    };
    for (let step = 0; step < 1500; step++) {
      const what = random.below(4);
      if (what === 0 && sender.open) {
        const cost = FRAME_COST_BYTES +
          random.below(random.chance(0.2) ? MAX_BYPASS_PAYLOAD_BYTES + 1 : 2000);
        sender.spend(cost);
        credit -= cost;
        flying.push(cost);
      } else if (what === 1 && flying.length > 0) {
        const cost = flying.shift()!;
        receiver.arrived(cost);
        unread.push(cost);
      } else if (what === 2 && unread.length > 0) {
        consume(random.chance(eagerness));
      } else if (what === 3 && grants.length > 0) {
        const grant = grants.shift()!;
        sender.grant(grant);
        credit += grant;
      }
      assertEquals(sender.open, credit > 0);
      assert(credit <= MAX_WINDOW_BYTES && credit > -OVERDRAFT_BYTES);
      // Every byte of the window is somewhere: credit, under way, unread, consumed and not granted, or a grant under way.
      const owed = consumedTotal - returned;
      assertEquals(credit + sum(flying) + sum(unread) + owed + sum(grants), receiver.size);
      assertEquals(receiver.unread, sum(unread));
      assert(receiver.size >= WINDOW_BYTES && receiver.size <= MAX_WINDOW_BYTES);
      assert(owed < receiver.size / 2, "what is owed would never be granted");
    }
    // No deadlock: once everything is read, the sender may send.
    for (const cost of flying) {
      receiver.arrived(cost);
      unread.push(cost);
    }
    while (unread.length > 0) consume(random.chance(eagerness));
    for (const grant of grants) sender.grant(grant);
    assert(sender.open);
  });
});
