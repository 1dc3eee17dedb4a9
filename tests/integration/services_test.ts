/** Executions of the library's own that do one piece of work after the other. */

import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "jsr:@std/assert@^1.0.19";
import { Gateway, GatewayClosedError, RemoteError } from "../../mod.ts";
import { until } from "../helpers/wait.ts";
import { forEachKind } from "./kinds.ts";

/** Sends back what it gets; fails at text. */
const SOURCE = `for await (const item of channel) {
  if (typeof item === "string") throw new RangeError(item);
  await channel.send(item);
}`;

const trade = (idleMs: number): Parameters<typeof Gateway.lend>[1] => ({
  name: "echo",
  source: SOURCE,
  idleMs,
});

forEachKind(
  "a lent execution counts while it works, stays for the next one, and is never lent twice",
  async ({ open }) => {
    const gateway = await open();
    const counts = async (): Promise<number[]> => {
      const { numExecuting, numChannels, channels } = await gateway.remoteStatus();
      return [numExecuting, numChannels, channels.length];
    };
    const first = Gateway.lend(gateway, trade(60_000));
    const second = Gateway.lend(gateway, trade(60_000));
    assertNotStrictEquals(first.channel, second.channel);
    for (const { channel } of [first, second]) {
      await channel.send(7);
      assertEquals(await channel.receive(), 7);
    }
    assertEquals(await counts(), [2, 0, 0]);
    first.giveBack();
    first.giveBack();
    // One is enough: the other one ends.
    second.giveBack();
    await second.channel.waitClose();
    assertEquals(await counts(), [0, 0, 0]);

    const again = Gateway.lend(gateway, trade(60_000));
    assertStrictEquals(again.channel, first.channel);
    assertEquals(await counts(), [1, 0, 0]);
    // Whoever has given it back has nothing more to say.
    first.giveBack();
    assertEquals((await counts())[0], 1);
    await again.channel.send("enough");
    await assertRejects(() => again.channel.receive(), RemoteError, "enough");
    again.giveBack();
    assertEquals(await counts(), [0, 0, 0]);

    const last = Gateway.lend(gateway, trade(0));
    assertNotStrictEquals(last.channel, first.channel);
    await last.channel.send(8);
    assertEquals(await last.channel.receive(), 8);
    last.giveBack();
    await until("it has waited long enough", () => last.channel.isClosed());
    const killed = Gateway.lend(gateway, trade(60_000));
    assertNotStrictEquals(killed.channel, last.channel);
    killed.channel.kill();
    await killed.channel.waitClose().catch(() => {});
    assertEquals((await counts())[0], 0);

    // One that waits for work does not hold up the end.
    const idle = Gateway.lend(gateway, trade(60_000));
    idle.giveBack();
    const { forced } = await gateway.terminate();
    assert(!forced);
    assertThrows(() => Gateway.lend(gateway, trade(60_000)), GatewayClosedError);
  },
  { local: true },
);
