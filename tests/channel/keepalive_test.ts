/** Noticing a far side that is silent, or that does not read. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { ProtocolError } from "../../channel/errors.ts";
import { FrameType, makeFrame } from "../../channel/frame.ts";
import { Keepalive } from "../../channel/keepalive.ts";
import { Writer } from "../../channel/writer.ts";
import { test } from "../helpers/bounded.ts";

test("Keepalive asks three times and then gives up", async () => {
  let pings = 0;
  const reason = await new Promise<Error>((dead) => {
    new Keepalive({ interval: 5, ping: () => pings++, dead });
  });
  assertEquals(pings, 3);
  assert(/no sign of life for 15 ms/.test(reason.message), reason.message);
});

test("Keepalive goes on while something comes", async () => {
  let pings = 0;
  let died = false;
  const { promise, resolve } = Promise.withResolvers<void>();
  const keepalive: Keepalive = new Keepalive({
    interval: 2,
    ping: () => {
      keepalive.alive();
      if (++pings === 10) resolve();
    },
    dead: () => died = true,
  });
  await promise;
  keepalive.stop();
  assertEquals(died, false);
});

test("Keepalive with interval 0 does nothing", () => {
  new Keepalive({ interval: 0, ping: () => assert(false), dead: () => assert(false) });
});

test("Writer.control() gives up on a far side that asks and does not read", async () => {
  const reasons: unknown[] = [];
  const writer: Writer = new Writer(() => new Promise(() => {}), 1024, (reason) => {
    reasons.push(reason);
    writer.stop();
  });
  const frame = makeFrame(FrameType.REPLY, 0, new Uint8Array(200_000));
  for (let i = 0; i < 100 && reasons.length === 0; i++) writer.control(frame);
  await Promise.resolve();
  assertEquals(reasons.length, 1);
  assert(reasons[0] instanceof ProtocolError);
});
