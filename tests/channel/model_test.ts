import { assert, assertThrows } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { forSeeds, seeds } from "../helpers/seeded.ts";
import { Broken, ModelChannel } from "../model/model.ts";
import { walk } from "../model/walk.ts";

const PARTS = 4;
const WALKS = 70;
const STEPS = 400;

for (let part = 0; part < PARTS; part++) {
  test(`two sessions do what a simple model says, in ${WALKS} random walks (part ${part + 1})`, async () => {
    let steps = 0;
    const ways = new Set<string>();
    await forSeeds(seeds(WALKS, 1 + WALKS * part), async (random) => {
      const walked = await walk(random, STEPS);
      steps += walked.steps;
      ways.add(walked.how);
    });
    const one = Deno.env.has("EXECNET_TEST_SEED");
    assert(one || steps >= WALKS * STEPS / 2, `${steps} steps`);
    // Sessions end in the middle, and go on to the end.
    assert(one || ways.size > 2 && ways.has("to the end"), [...ways].join());
  }, 60_000);
}

/** Deeds that no channel may do, each behind a few that it may. */
const WRONG: readonly [what: string, deed: (channel: ModelChannel) => void][] = [
  ["another item than the next one", ({ ends: [a, b] }) => {
    a.send(1);
    a.send(2);
    b.take(2);
  }],
  ["an item twice", ({ ends: [a, b] }) => {
    a.send(1);
    b.take(1);
    b.take(1);
  }],
  ["an item that was never sent", ({ ends: [, b] }) => b.take(1)],
  ["an end before the items", ({ ends: [a, b] }) => {
    a.send(1);
    a.closeWrite();
    b.end("EOFError");
  }],
  ["an end that nobody brought about", ({ ends: [, b] }) => b.end("EOFError")],
  ["an end in place of an error", ({ ends: [a, b] }) => {
    a.close(true, false);
    b.end("EOFError");
  }],
  ["an error twice", ({ ends: [a, b] }) => {
    a.close(true, false);
    b.end("RemoteError");
    b.end("RemoteError");
  }],
  ["an error that nobody gave", ({ ends: [a, b] }) => {
    a.close(false, false);
    b.end("RemoteError");
  }],
  ["a send after the end", ({ ends: [a] }) => {
    a.closeWrite();
    a.send(1);
  }],
  ["a refusal of what is open", ({ ends: [a, b] }) => {
    b.closeWrite();
    a.refuse();
  }],
  ["the end of the gateway, where only one is killed", ({ ends: [a, b] }) => {
    a.kill(false, false);
    b.end("GatewayClosedError");
  }],
  ["no error for who kills", ({ ends: [a] }) => {
    a.kill(false, false);
    a.end("EOFError");
  }],
  ["an end marker before the items", ({ ends: [a, b] }) => {
    a.send(1);
    a.close(false, false);
    b.mark();
  }],
];

for (const [what, deed] of WRONG) {
  test(`ModelChannel allows no such thing as ${what}`, () => {
    assertThrows(() => deed(new ModelChannel()), Broken);
  });
}
