import { assert, assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import { ProtocolError } from "../../channel/errors.ts";
import { MAX_PAYLOAD_BYTES } from "../../channel/frame.ts";
import { FRAME_COST_BYTES, ReceiveWindow, SendWindow, WINDOW_BYTES } from "../../channel/window.ts";
import { test } from "../helpers/bounded.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";

const MAX_COST = MAX_PAYLOAD_BYTES + FRAME_COST_BYTES;

test("SendWindow.open is true until the credit is spent", () => {
  const window = new SendWindow();
  assert(window.open);
  window.spend(WINDOW_BYTES - 1);
  assert(window.open);
  window.spend(MAX_COST);
  assert(!window.open);
  window.grant(MAX_COST - 1);
  assert(!window.open);
  window.grant(1);
  assert(window.open);
});

test("SendWindow.grant() refuses more than was spent", () => {
  const window = new SendWindow();
  assertThrows(() => window.grant(1), ProtocolError);
  const other = new SendWindow();
  other.spend(10);
  other.grant(10);
  assertThrows(() => other.grant(1), ProtocolError);
  assertThrows(() => new SendWindow().grant(0xffffffff), ProtocolError);
});

test("ReceiveWindow.arrived() refuses what no sender had credit for", () => {
  const window = new ReceiveWindow();
  window.arrived(WINDOW_BYTES - 1);
  window.arrived(MAX_COST + 1);
  assertEquals(window.held, WINDOW_BYTES + MAX_COST);
  assertThrows(() => window.arrived(1), ProtocolError);
});

test("ReceiveWindow.consumed() grants in portions, and in the end all", () => {
  const window = new ReceiveWindow();
  window.arrived(WINDOW_BYTES);
  assertEquals(window.consumed(WINDOW_BYTES / 2 - 1), 0);
  assertEquals(window.held, WINDOW_BYTES);
  assertEquals(window.consumed(1), WINDOW_BYTES / 2);
  assertEquals(window.held, WINDOW_BYTES / 2);
  assertEquals(window.consumed(WINDOW_BYTES / 2), WINDOW_BYTES / 2);
  assertEquals(window.held, 0);
});

test("SendWindow and ReceiveWindow keep their sums on random walks", async () => {
  await forSeeds(seeds(60), (random) => {
    const sender = new SendWindow();
    const receiver = new ReceiveWindow();
    const flying: number[] = [];
    const grants: number[] = [];
    const unread: number[] = [];
    let credit = WINDOW_BYTES;
    let consumedTotal = 0;
    let grantedTotal = 0;
    const sum = (list: number[]) => list.reduce((a, b) => a + b, 0);
    for (let step = 0; step < 1500; step++) {
      const what = random.below(4);
      if (what === 0 && sender.open) {
        const cost = FRAME_COST_BYTES + random.below(random.chance(0.2) ? MAX_PAYLOAD_BYTES + 1 : 2000);
        sender.spend(cost);
        credit -= cost;
        flying.push(cost);
      } else if (what === 1 && flying.length > 0) {
        const cost = flying.shift()!;
        receiver.arrived(cost);
        unread.push(cost);
      } else if (what === 2 && unread.length > 0) {
        const cost = unread.shift()!;
        consumedTotal += cost;
        const grant = receiver.consumed(cost);
        grantedTotal += grant;
        if (grant > 0) grants.push(grant);
      } else if (what === 3 && grants.length > 0) {
        const grant = grants.shift()!;
        sender.grant(grant);
        credit += grant;
      }
      assertEquals(sender.open, credit > 0);
      assert(credit <= WINDOW_BYTES && credit > -MAX_COST);
      // Every byte of the window is somewhere: credit, under way, unread, consumed and not granted, or a grant under way.
      const owed = consumedTotal - grantedTotal;
      assertEquals(credit + sum(flying) + sum(unread) + owed + sum(grants), WINDOW_BYTES);
      assertEquals(receiver.held, sum(unread) + owed);
      assert(receiver.held <= WINDOW_BYTES + MAX_COST);
      assert(owed < WINDOW_BYTES / 2, "what is owed would never be granted");
    }
    // No deadlock: once everything is read, the sender may send.
    for (const cost of flying) {
      receiver.arrived(cost);
      unread.push(cost);
    }
    for (const cost of unread) grants.push(receiver.consumed(cost));
    for (const grant of grants) sender.grant(grant);
    assert(sender.open);
  });
});
